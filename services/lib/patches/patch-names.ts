/** @file Names of patches in lists and databases: `<image id>_<centre>_<rotation>`. */
import { ROTATIONS } from "../method/patches.ts";

export interface NamedPatch {
  readonly imageId: string;
  readonly name: string;
  readonly label: number;
}

/** Yields the patches of an image from the labels of its centres, in list order. */
export function* patchNames(imageId: string, labels: Uint8Array): Generator<NamedPatch> {
  for (const [centre, label] of labels.entries()) {
    for (const rotation of ROTATIONS) yield { imageId, name: `${imageId}_${centre}_${rotation}`, label };
  }
}

/** Returns the patches of a list file. */
export function parseList(text: string): NamedPatch[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [name = "", label = ""] = line.split("\t");
    return { imageId: name.slice(0, name.indexOf("_")), name, label: Number(label) };
  });
}

/** Returns the place of a named patch among its image's, as `patchNames` yields them, or -1 where it names none. */
export const placeOfPatch = (name: string): number => {
  const [, centre, rotation] = name.split("_");
  const turn = ROTATIONS.findIndex((degrees) => rotation === String(degrees));
  return turn < 0 ? -1 : ROTATIONS.length * Number(centre) + turn;
};
