/**
 * @file Images that look enough like H&E tissue to train on, with exact masks: for tests and the demo, which may carry no
 * patient data. A seed names an image; the same seed gives the same pixels on every machine.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { encodeLabelPng } from "../services/lib/images/label-png.fixture.ts";
import type { RgbImage } from "../services/lib/method/image.ts";
import { createRandom, type Random } from "../services/lib/method/random.ts";

/** What to make. Sizes in pixels. */
export interface TissueOptions {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  /** Images of one patient share their stain; 0 by default. */
  readonly patient?: number;
  /** Part of the area that nuclei cover; 0.16 by default. */
  readonly nuclei?: number;
}

/** An image and the instance labels of its nuclei (row-major, 0 = none, 1, 2, ...). */
export interface Tissue {
  readonly image: RgbImage;
  readonly labels: Uint16Array<ArrayBuffer>;
}

/** Stain densities per pixel; colour comes from them by Beer-Lambert, as in real sections. */
interface Section {
  readonly width: number;
  readonly height: number;
  readonly haematoxylin: Float32Array;
  readonly eosin: Float32Array;
  readonly labels: Uint16Array<ArrayBuffer>;
}

interface Ellipse {
  readonly x: number;
  readonly y: number;
  /** Semi-axes, pixels. */
  readonly a: number;
  readonly b: number;
  readonly angle: number;
}

type Field = (x: number, y: number) => number;

/** Optical density of red, green and blue per unit of stain (Ruifrok and Johnston 2001). */
const HAEMATOXYLIN_OD = [0.65, 0.7, 0.29] as const;
const EOSIN_OD = [0.07, 0.99, 0.11] as const;
const EDGE_PX = 0.9;
const MARGIN_PX = 5;

/** Returns a synthetic image with its labels: stroma, nuclei of 12 to 28 px, and things that only resemble nuclei. */
export const makeTissue = ({ width, height, seed, patient = 0, nuclei = 0.16 }: TissueOptions): Tissue => {
  const random = createRandom("tissue", seed, patient);
  const area = width * height;
  const section: Section = {
    width,
    height,
    haematoxylin: new Float32Array(area),
    eosin: new Float32Array(area),
    labels: new Uint16Array(area),
  };
  layStroma(section, random);
  for (let i = 0; i < area / 7000; i++) drawStrand(section, random);
  for (let i = 0; i < area / 20_000; i++) drawBlur(section, random);
  for (let i = 0; i < area / 12_000; i++) drawRedCell(section, random);
  drawNuclei(section, random, nuclei * area);
  return { image: develop(section, patient, random), labels: section.labels };
};

/** Returns value noise: random numbers every `cellPx`, interpolated smoothly; mean 0, deviation about 0.6. */
const smoothNoise = (random: Random, width: number, height: number, cellPx: number): Field => {
  const columns = Math.ceil(width / cellPx) + 2;
  const rows = Math.ceil(height / cellPx) + 2;
  const grid = Float32Array.from({ length: columns * rows }, () => random.normal());
  return (x, y) => {
    const column = Math.floor(x / cellPx);
    const row = Math.floor(y / cellPx);
    const u = x / cellPx - column;
    const v = y / cellPx - row;
    const s = u * u * (3 - 2 * u);
    const at = row * columns + column;
    const top = grid[at]! * (1 - s) + grid[at + 1]! * s;
    const bottom = grid[at + columns]! * (1 - s) + grid[at + columns + 1]! * s;
    return top + (bottom - top) * v * v * (3 - 2 * v);
  };
};

const layStroma = ({ width, height, haematoxylin, eosin }: Section, random: Random): void => {
  const [coarse, middle, fine] = [60, 14, 4].map((cellPx) => smoothNoise(random, width, height, cellPx));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const texture = 0.5 * coarse!(x, y) + 0.35 * middle!(x, y) + 0.3 * fine!(x, y);
      eosin[i] = Math.max(0.03, 0.34 + 0.16 * texture);
      haematoxylin[i] = Math.max(0, 0.09 + 0.05 * texture);
    }
  }
};

/** Calls `paint` with each pixel in reach of the ellipse and its distance from the outline (negative inside), about in pixels. */
const overEllipse = (
  { width, height }: Section,
  { x, y, a, b, angle }: Ellipse,
  paint: (index: number, distancePx: number) => void,
): void => {
  const reach = Math.max(a, b) + MARGIN_PX;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let row = Math.max(0, Math.ceil(y - reach)); row < Math.min(height, y + reach); row++) {
    for (let column = Math.max(0, Math.ceil(x - reach)); column < Math.min(width, x + reach); column++) {
      const u = ((column - x) * cos + (row - y) * sin) / a;
      const v = ((row - y) * cos - (column - x) * sin) / b;
      paint(row * width + column, (Math.sqrt(u * u + v * v) - 1) * Math.min(a, b));
    }
  }
};

const blend = (plane: Float32Array, index: number, value: number, cover: number): void => {
  plane[index] = plane[index]! * (1 - cover) + value * cover;
};

const cover = (distancePx: number, softPx: number): number => 1 / (1 + Math.exp(distancePx / softPx));

const between = (random: Random, low: number, high: number): number => low + random.next() * (high - low);

const drawNuclei = (section: Section, random: Random, wantedPx: number): void => {
  const chromatin = smoothNoise(random, section.width, section.height, 3);
  let previous: Ellipse | undefined;
  let label = 0;
  for (let covered = 0, tries = 0; covered < wantedPx && tries < wantedPx; tries++) {
    const nucleus = placeNucleus(section, random, previous);
    const pixels = freePixels(section, nucleus);
    if (pixels === undefined) continue;
    label++;
    covered += pixels;
    previous = nucleus;
    drawNucleus(section, random, nucleus, label, chromatin);
  }
};

/** Returns where the next nucleus goes: anywhere, or one time in four against the one before, so that some touch. */
const placeNucleus = ({ width, height }: Section, random: Random, previous: Ellipse | undefined): Ellipse => {
  const a = between(random, 7, 14);
  const b = Math.max(6, a * between(random, 0.6, 1));
  const angle = random.next() * Math.PI;
  if (previous === undefined || random.next() > 0.25) {
    return { x: random.next() * width, y: random.next() * height, a, b, angle };
  }
  const direction = random.next() * 2 * Math.PI;
  const apart = (previous.a + previous.b + a + b) / 2;
  const x = previous.x + apart * Math.cos(direction);
  return { x, y: previous.y + apart * Math.sin(direction), a, b, angle };
};

/** Returns how many pixels the nucleus would get, or undefined where it would mostly lie on others or outside. */
const freePixels = (section: Section, nucleus: Ellipse): number | undefined => {
  let free = 0;
  let taken = 0;
  overEllipse(section, nucleus, (index, distancePx) => {
    if (distancePx > 0) return;
    if (section.labels[index] === 0) free++;
    else taken++;
  });
  return free >= 40 && taken < 0.12 * free ? free : undefined;
};

const drawNucleus = (section: Section, random: Random, nucleus: Ellipse, label: number, chromatin: Field): void => {
  const strength = between(random, 0.55, 1.05);
  const grain = between(random, 0.08, 0.2);
  overEllipse(section, nucleus, (index, distancePx) => {
    const { width, labels, haematoxylin, eosin } = section;
    if (labels[index] !== 0) return;
    if (distancePx <= 0) labels[index] = label;
    const rim = distancePx > -2.2 ? 0.18 : 0; // the membrane: what tells a nucleus from a smear close up
    const texture = grain * chromatin(index % width, Math.floor(index / width));
    const opaque = cover(distancePx, EDGE_PX);
    blend(haematoxylin, index, strength * (0.85 + rim + texture), opaque);
    blend(eosin, index, 0.22, opaque);
  });
};

/** Spindles and smears in the nuclei's own colour, but thin and without rim or grain. */
const drawStrand = (section: Section, random: Random): void => {
  const at = { x: random.next() * section.width, y: random.next() * section.height };
  const strand = { ...at, a: between(random, 14, 32), b: between(random, 1.5, 3), angle: random.next() * Math.PI };
  const stain = between(random, 0.4, 1);
  overEllipse(section, strand, (index, distancePx) => {
    blend(section.haematoxylin, index, stain, 0.9 * cover(distancePx, EDGE_PX));
    blend(section.eosin, index, 0.3, 0.7 * cover(distancePx, EDGE_PX));
  });
};

/** Purple clouds as large as nuclei, out of focus: seen from afar they are nuclei, close up they have no edge. */
const drawBlur = (section: Section, random: Random): void => {
  const radius = between(random, 8, 14);
  const cloud = { x: random.next() * section.width, y: random.next() * section.height, angle: 0 };
  const stain = between(random, 0.5, 0.95);
  overEllipse(section, { ...cloud, a: 2 * radius, b: 2 * radius }, (index, distancePx) => {
    const inward = Math.min(1, Math.max(0, -distancePx / (2 * radius)));
    blend(section.haematoxylin, index, stain, inward * inward * (3 - 2 * inward));
  });
};

const drawRedCell = (section: Section, random: Random): void => {
  const radius = between(random, 3.5, 5);
  const cell = { x: random.next() * section.width, y: random.next() * section.height, angle: 0 };
  overEllipse(section, { ...cell, a: radius, b: radius }, (index, distancePx) => {
    blend(section.eosin, index, 1.15, cover(distancePx, EDGE_PX));
    blend(section.haematoxylin, index, 0.02, cover(distancePx, EDGE_PX));
  });
};

/** Returns the section as a camera sees it: light absorbed by both stains, each patient's a little different, and noise. */
const develop = ({ width, height, haematoxylin, eosin }: Section, patient: number, random: Random): RgbImage => {
  const stain = createRandom("stain", patient);
  const [blue, pink, light] = [between(stain, 0.85, 1.2), between(stain, 0.8, 1.2), between(stain, 235, 250)];
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const density = haematoxylin[i]! * blue * HAEMATOXYLIN_OD[channel]! + eosin[i]! * pink * EOSIN_OD[channel]!;
      const value = light * Math.exp(-density) + 3 * random.normal();
      data[3 * i + channel] = Math.min(255, Math.max(0, Math.round(value)));
    }
  }
  return { width, height, data };
};

/** A cohort to write: square images of `size` pixels. */
export interface CohortOptions {
  readonly patients: number;
  readonly imagesPerPatient: number;
  readonly size: number;
  readonly seed: number;
  /** 16-bit instance labels (default) or 0 and 255. */
  readonly masks?: "labels" | "binary";
}

/** Writes `images/p01_1.png` and `masks/p01_1.png`, ... into a folder and returns the stems ("p01_1", ...) in order. */
export const writeTissueCohort = async (folder: string, options: CohortOptions): Promise<string[]> => {
  const { patients, imagesPerPatient, size, seed, masks = "labels" } = options;
  for (const kind of ["images", "masks"]) await mkdir(join(folder, kind), { recursive: true });
  const stems: string[] = [];
  for (let patient = 1; patient <= patients; patient++) {
    for (let n = 1; n <= imagesPerPatient; n++) {
      const stem = `p${String(patient).padStart(2, "0")}_${n}`;
      const own = seed * 1_000_000 + patient * 1000 + n;
      const { image, labels } = makeTissue({ width: size, height: size, seed: own, patient: seed * 1000 + patient });
      const binary = () => Uint8Array.from(labels, (label) => (label > 0 ? 255 : 0));
      const mask =
        masks === "labels"
          ? encodeLabelPng(size, size, labels)
          : encodePng({ width: size, height: size, channels: 1, data: binary() });
      await writeFile(join(folder, "images", `${stem}.png`), await encodePng({ ...image, channels: 3 }));
      await writeFile(join(folder, "masks", `${stem}.png`), await mask);
      stems.push(stem);
    }
  }
  return stems;
};
