/** @file CreateCohort: which image goes with which mask and patient. */
import { invalid } from "../lib/errors.ts";
import { isPossibleMpp, MPP_RANGE } from "../lib/method/resolution.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import {
  Cohort,
  type CreateCohortRequest,
  type CreateCohortResponse,
  ImportPurpose,
  MaskKind,
} from "../lib/proto/radhical/v1/datasets.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT } from "../lib/service/document-kinds.ts";
import { createDocument, encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import { annotationWord } from "../lib/service/method-words.ts";

export interface CohortContext {
  readonly objects: ObjectStore;
  readonly images: Pick<ImageStore, "describe">;
}

/** Returns the handler of CreateCohort. */
export const createCohort =
  (ctx: CohortContext) =>
  async ({ cohort }: CreateCohortRequest): Promise<CreateCohortResponse> => {
    if (!cohort || cohort.members.length === 0) throw invalid("COHORT_EMPTY", "Cannot create a cohort without members");
    checkMeaning(cohort);
    checkPatients(cohort);
    for (const { imageId, maskId } of cohort.members) {
      const image = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
      const mask = await ctx.images.describe(maskId, ImportPurpose.IMPORT_PURPOSE_MASK);
      if (image.width !== mask.width || image.height !== mask.height) {
        const sizes = `${image.width}x${image.height} and mask "${maskId}" ${mask.width}x${mask.height}`;
        throw invalid("SIZE_MISMATCH", `Cannot pair image "${imageId}" with its mask: the image is ${sizes}`);
      }
    }
    const members = cohort.members.toSorted((a, b) => (a.imageId < b.imageId ? -1 : 1));
    const document = { ...cohort, members };
    const cohortId = contentId("cohort", encode(Cohort, document));
    await createDocument(ctx.objects, COHORT, cohortId, document);
    return { cohortId };
  };

function checkMeaning({ annotation, maskKind, mpp }: Cohort): void {
  annotationWord(annotation);
  if (maskKind === MaskKind.MASK_KIND_UNSPECIFIED)
    throw invalid("MASK_KIND_MISSING", "Cannot create a cohort that does not say how its masks are read");
  if (!isPossibleMpp(mpp))
    throw invalid("MPP_INVALID", `Cannot create a cohort of ${mpp} micrometres per pixel: give ${MPP_RANGE}`);
}

/** The same bytes under two patients would put an image on both sides of a split. */
function checkPatients(cohort: Cohort): void {
  const patientOf = new Map<string, number>();
  for (const { imageId, patient } of cohort.members) {
    if (patient < 0)
      throw invalid(
        "PATIENT_INVALID",
        `Cannot create a cohort with patient ${patient} (image "${imageId}"): count from 0`,
      );
    const other = patientOf.get(imageId);
    if (other !== undefined) {
      const where = other === patient ? `twice under patient ${patient}` : `under patients ${other} and ${patient}`;
      throw invalid(
        other === patient ? "SAME_IMAGE_TWICE" : "SAME_IMAGE_TWO_PATIENTS",
        `Cannot create a cohort that holds image "${imageId}" ${where}; remove one of the copies`,
      );
    }
    patientOf.set(imageId, patient);
  }
}
