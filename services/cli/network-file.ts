/** @file A network's description that a user gives as a file (METHOD.md 4: another network is a file, not a code change). */
import { invalid } from "../lib/errors.ts";
import { DEFAULT_NETWORK, type NetworkDescription, parseNetwork } from "../lib/network/network-description.ts";
import { aboutFile, readUserFile } from "./pair-images.ts";

/** Returns the network that a JSON file describes, the default one without a file. Throws FILE_UNREADABLE or NETWORK_INVALID, which name it. */
export async function readNetwork(path: string | undefined): Promise<NetworkDescription> {
  if (path === undefined) return DEFAULT_NETWORK;
  const text = new TextDecoder().decode(await readUserFile(path));
  try {
    return parseNetwork(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw invalid("NETWORK_INVALID", `Cannot read --network "${path}": it is not JSON (${error.message})`, error);
    throw aboutFile(path, error);
  }
}
