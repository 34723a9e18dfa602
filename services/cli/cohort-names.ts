/** @file The user's names for what the services know by ids: names belong to the client. */
import type { PairedImage } from "./pair-images.ts";

export interface CohortNames {
  /** Patients by number, sorted by name. */
  readonly patients: readonly string[];
  stem(imageId: string): string;
  patient(imageId: string): string;
  /** Returns a message with file names added to the ids in it. */
  explain(message: string): string;
}

export interface ImportedImage extends PairedImage {
  readonly imageId: string;
  readonly maskId: string;
}

/** Returns the names of imported images. */
export function cohortNames(images: readonly ImportedImage[]): CohortNames {
  const byId = new Map(images.map((image) => [image.imageId, image]));
  const fileOf = new Map(
    images.flatMap((image) => [[image.imageId, image.imagePath] as const, [image.maskId, image.maskPath] as const]),
  );
  return {
    patients: [...new Set(images.map(({ patient }) => patient))].sort(),
    stem: (imageId) => byId.get(imageId)?.stem ?? imageId,
    patient: (imageId) => byId.get(imageId)?.patient ?? "",
    explain: (message) =>
      message.replace(/"([0-9a-f]{32})"/g, (quoted, id: string) => {
        const file = fileOf.get(id);
        return file === undefined ? quoted : `"${file}"`;
      }),
  };
}

/** Returns a CSV file of ids, files and patients. */
export function namesCsv(images: readonly ImportedImage[]): string {
  const field = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = images.map(({ imageId, imagePath, patient }) => [imageId, imagePath, patient].map(field).join(","));
  return `id,file,patient\n${lines.join("\n")}\n`;
}
