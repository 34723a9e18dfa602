/** @file The documents that services leave for each other in the object store. */
import { Cohort } from "../proto/radhical/v1/datasets.ts";
import { GetGradesResponse, GetTuningResponse } from "../proto/radhical/v1/tuning.ts";
import {
  DatabaseSet,
  Evaluation,
  ModelDocument,
  ModelSet,
  PatchSet,
  Segmentation,
  SplitDocument,
} from "../proto/radhical/v1/work.ts";
import type { DocumentKind } from "./documents.ts";

export const COHORT: DocumentKind<Cohort> = { folder: "cohorts", codec: Cohort, label: "cohort" };
export const PATCH_SET: DocumentKind<PatchSet> = { folder: "patch-sets", codec: PatchSet, label: "patch set" };
export const SPLIT: DocumentKind<SplitDocument> = { folder: "splits", codec: SplitDocument, label: "split" };
export const DATABASE_SET: DocumentKind<DatabaseSet> = {
  folder: "database-sets",
  codec: DatabaseSet,
  label: "database set",
};
export const MODEL_SET: DocumentKind<ModelSet> = { folder: "model-sets", codec: ModelSet, label: "model set" };
export const MODEL: DocumentKind<ModelDocument> = { folder: "models", codec: ModelDocument, label: "model" };
export const EVALUATION: DocumentKind<Evaluation> = { folder: "evaluations", codec: Evaluation, label: "evaluation" };
export const TUNING: DocumentKind<GetTuningResponse> = { folder: "tunings", codec: GetTuningResponse, label: "tuning" };
export const GRADES: DocumentKind<GetGradesResponse> = { folder: "grades", codec: GetGradesResponse, label: "grades" };
export const SEGMENTATION: DocumentKind<Segmentation> = {
  folder: "segmentation-results",
  codec: Segmentation,
  label: "segmentation",
};
