/** @file Shapes shared by the method: images, rectangles, label and mask planes. All planes are row-major. */

/** An 8-bit RGB image: `data` is interleaved RGB, length 3 * width * height. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle in pixels; the function that takes it says of which level. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An annotation plane, width * height: 0 = not annotated, else the instance (or 1 everywhere when binary). */
export type LabelPlane = Uint8Array | Uint16Array | Uint32Array | Int32Array;

/** How the values of a label plane are read: 8-connected components of what is above 0, or one nucleus per value. */
export type MaskKind = "binary" | "labels";

/** Whether every nucleus of an image is annotated. */
export type Annotation = "sparse" | "complete";
