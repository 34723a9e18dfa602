/** @file A network's description that a user gives as a file (METHOD.md 4: another network is a file, not a code change). */
import { DEFAULT_NETWORK, type NetworkDescription, readNetwork } from "../lib/network/network-description.ts";
import { aboutFile, readUserFile } from "./pair-images.ts";

/** Returns the network that a JSON file describes, the default one without a file. Throws FILE_UNREADABLE or NETWORK_INVALID, which name it. */
export async function readNetworkFile(path: string | undefined): Promise<NetworkDescription> {
  if (path === undefined) return DEFAULT_NETWORK;
  const text = new TextDecoder().decode(await readUserFile(path));
  try {
    return readNetwork(text);
  } catch (error) {
    throw aboutFile(path, error);
  }
}
