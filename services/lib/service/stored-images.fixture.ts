/** @file Images and masks in a store as an import leaves them. */
import { encodePng } from "../images/encode-png.ts";
import { encodeLabelPng } from "../images/label-png.fixture.ts";
import { objectKey } from "../objects/object-key.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { ImportPurpose } from "../proto/radhical/v1/datasets.ts";
import { ImageDescription } from "../proto/radhical/v1/work.ts";
import { sha256, shortId } from "./content-id.ts";
import { encode } from "./documents.ts";
import { descriptionKey } from "./image-store.ts";

async function store(
  objects: ObjectStore,
  purpose: ImportPurpose,
  file: Uint8Array,
  width: number,
  height: number,
): Promise<string> {
  const id = shortId(sha256(file));
  const pixelsKey = objectKey("images", id, "source");
  await objects.put(pixelsKey, file);
  const description = { width, height, pixelsKey };
  await objects.put(descriptionKey(id, purpose), encode(ImageDescription, description));
  return id;
}

/** Stores an RGB image whose pixel at (x, y) has the colour `colour` gives; returns its id. */
export async function storeImage(
  objects: ObjectStore,
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): Promise<string> {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) data.set(colour(i % width, Math.floor(i / width)), 3 * i);
  const file = await encodePng({ width, height, channels: 3, data });
  return store(objects, ImportPurpose.IMPORT_PURPOSE_IMAGE, file, width, height);
}

/** Stores a mask of instance labels; returns its id. */
export async function storeMask(
  objects: ObjectStore,
  width: number,
  height: number,
  label: (x: number, y: number) => number,
): Promise<string> {
  const labels = Uint16Array.from({ length: width * height }, (_, i) => label(i % width, Math.floor(i / width)));
  const file = await encodeLabelPng(width, height, labels);
  return store(objects, ImportPurpose.IMPORT_PURPOSE_MASK, file, width, height);
}
