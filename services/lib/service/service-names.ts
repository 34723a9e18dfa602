/** @file The services, by name. */

export const SERVICE_NAMES = ["extraction", "datasets", "training", "inference", "tuning", "segmentation"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];
