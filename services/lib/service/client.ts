/** @file Clients of the services: one channel per address, the token on every call, failures as DomainErrors. */
import {
  type CallOptions,
  type Channel,
  type Client,
  type ClientMiddlewareCall,
  type CompatServiceDefinition,
  createChannel,
  createClientFactory,
  Metadata,
} from "nice-grpc";
import { errorDetailsClientMiddleware } from "nice-grpc-error-details";
import { fromGrpc } from "./grpc-errors.ts";
import { tracedCalls } from "./observed-calls.ts";
import { GRPC_LIMITS } from "./server.ts";

/** A watched job may be silent for hours; whether its service is still there, pings tell. */
const KEEPALIVE = { "grpc.keepalive_time_ms": 30_000, "grpc.keepalive_timeout_ms": 10_000 } as const;

/** gRPC would send calls of this machine to itself through the proxy that the environment names, token and images in the clear. */
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/;

export interface Connection {
  client<Service extends CompatServiceDefinition>(definition: Service): Client<Service>;
  close(): void;
}

const withToken = (token: string | undefined) =>
  async function* <Request, Response>(call: ClientMiddlewareCall<Request, Response>, options: CallOptions) {
    const metadata = Metadata(options.metadata);
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    try {
      return yield* call.next(call.request, { ...options, metadata });
    } catch (thrown) {
      throw fromGrpc(thrown);
    }
  };

/** Returns a connection to an endpoint that answers all services by gRPC path. It connects on the first call. */
export function connect(address: string, token: string | undefined): Connection {
  const proxy = LOOPBACK.test(address.replace(/^https?:\/\//, "")) ? { "grpc.enable_http_proxy": 0 } : {};
  const channel: Channel = createChannel(address, undefined, { ...GRPC_LIMITS, ...KEEPALIVE, ...proxy });
  const factory = createClientFactory().use(errorDetailsClientMiddleware).use(tracedCalls).use(withToken(token));
  return { client: (definition) => factory.create(definition, channel), close: () => channel.close() };
}
