/** @file A gRPC server as every service runs it: health, errors, authentication, limits. */
import { timingSafeEqual } from "node:crypto";
import { ServerCredentials } from "@grpc/grpc-js";
import { type CallContext, createServer, type Server, type ServerMiddlewareCall } from "nice-grpc";
import { errorDetailsServerMiddleware } from "nice-grpc-error-details";
import { HealthDefinition, HealthServiceImpl, HealthState } from "nice-grpc-server-health";
import { DomainError } from "../errors.ts";
import { domainErrors } from "./grpc-errors.ts";
import type { Part } from "./lifecycle.ts";
import type { Logger } from "./log.ts";
import { observedAnswers } from "./observed-calls.ts";

/** Both sides set the same limits: grpc-js's session memory default ends busy connections with RESOURCE_EXHAUSTED. */
export const GRPC_LIMITS = {
  "grpc.max_receive_message_length": 16 * 2 ** 20,
  "grpc.max_send_message_length": 16 * 2 ** 20,
  "grpc-node.max_session_memory": 256,
} as const;

export interface ServerOptions {
  readonly host: string;
  /** 0: chosen by the system. */
  readonly port: number;
  /** Callers must send `authorization: Bearer <token>`; undefined: anybody who can connect. */
  readonly token: string | undefined;
  readonly log: Logger;
  /** Adds the services' implementations. */
  readonly add: (server: Server) => void;
}

export interface RunningServer extends Part {
  readonly address: string;
}

const bearerToken = (token: string) =>
  async function* <Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    const isOpen = call.method.path.startsWith("/grpc.health.v1.Health/");
    const given = Buffer.from(context.metadata.get("authorization") ?? "");
    const wanted = Buffer.from(`Bearer ${token}`);
    if (!isOpen && !(given.length === wanted.length && timingSafeEqual(given, wanted))) {
      throw new DomainError("unauthenticated", "TOKEN_REQUIRED", "Cannot accept a call without the right bearer token");
    }
    return yield* call.next(call.request, context);
  };

/** Returns a server that listens. Throws LISTEN_FAILED naming the address. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const base = createServer(GRPC_LIMITS)
    .use(errorDetailsServerMiddleware)
    .use(observedAnswers)
    .use(domainErrors(options.log));
  const server = options.token === undefined ? base : base.use(bearerToken(options.token));
  const health = HealthState();
  server.add(HealthDefinition, HealthServiceImpl(health));
  options.add(server);
  const address = `${options.host}:${options.port}`;
  const port = await server.listen(address, ServerCredentials.createInsecure()).catch((cause: unknown) => {
    throw new DomainError(
      "failedPrecondition",
      "LISTEN_FAILED",
      `Cannot listen on ${address}; is another process using it?`,
      { cause },
    );
  });
  health.setStatus("healthy");
  return {
    name: "grpc server",
    address: `${options.host}:${port}`,
    stop: async () => {
      health.setStatus("unhealthy");
      await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
      server.forceShutdown();
    },
  };
}
