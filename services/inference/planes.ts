/** @file Rectangles of three planes, and what surrounds the pixels that are evaluated. */
import type { Rect } from "../lib/method/image.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import type { EvaluatedSize } from "../lib/network/sparse-plan.ts";

/** What surrounds a rectangle so that each of its pixels has a whole patch: 16 before, 15 after. */
export const SURROUNDING_PX = PATCH_SIZE_PX - 1;

/** Returns the size of so many pixels with all that surrounds them. */
export const surroundedSize = ({ width, height }: EvaluatedSize): EvaluatedSize => ({
  width: width + SURROUNDING_PX,
  height: height + SURROUNDING_PX,
});

/** Returns a rectangle of a level with all that surrounds it: beyond the image it is mirrored. */
export const surroundedRect = (rect: Rect): Rect => ({
  x: rect.x - CLASSIFIED_PX,
  y: rect.y - CLASSIFIED_PX,
  ...surroundedSize(rect),
});

/** Fills three planes from the first row and column on with what others hold from `corner` on, as far as both go. */
export function copyPlanes<T extends Uint8Array | Float32Array>(
  from: T,
  fromSize: EvaluatedSize,
  to: T,
  toSize: EvaluatedSize,
  corner: Pick<Rect, "x" | "y"> = { x: 0, y: 0 },
): void {
  const width = Math.min(fromSize.width - corner.x, toSize.width);
  const height = Math.min(fromSize.height - corner.y, toSize.height);
  for (let c = 0; c < 3; c++) {
    for (let row = 0; row < height; row++) {
      const start = (c * fromSize.height + corner.y + row) * fromSize.width + corner.x;
      to.set(from.subarray(start, start + width), (c * toSize.height + row) * toSize.width);
    }
  }
}
