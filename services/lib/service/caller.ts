/** @file Who asked for a job, as far as today's authentication can tell. */
import type { CallContext } from "nice-grpc";
import { contentId } from "./content-id.ts";

/** Returns a name for the caller: the key it authenticated with (hashed), or where it called from. */
export const callerOf = ({ metadata, peer }: Pick<CallContext, "metadata" | "peer">): string => {
  const key = metadata.get("authorization");
  return key ? `key:${contentId(key).slice(0, 8)}` : `peer:${peer}`;
};
