/** @file A network's description that a user gives as a file (METHOD.md 4: another network is a file, not a code change). */
import { checkMembers } from "../lib/network/members.ts";
import { DEFAULT_NETWORK, type NetworkDescription, readNetwork } from "../lib/network/network-description.ts";
import { aboutFile, readUserFile } from "./pair-images.ts";

/**
 * Returns the network that a JSON file describes, the default one without a file; so many of it are to be one model. Throws
 * FILE_UNREADABLE or NETWORK_INVALID, which name the file.
 */
export async function readNetworkFile(path: string | undefined, members: number): Promise<NetworkDescription> {
  if (path === undefined) return DEFAULT_NETWORK;
  const text = new TextDecoder().decode(await readUserFile(path));
  try {
    const network = readNetwork(text);
    checkMembers(network, members);
    return network;
  } catch (error) {
    throw aboutFile(path, error);
  }
}
