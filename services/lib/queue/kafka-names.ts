/** @file What topics and groups are called on the brokers: several deployments, and tests, share one cluster by their prefixes. */

/** The prefix of topics and groups unless another is set. */
export const DEFAULT_PREFIX = "radhical";

/** Turns names of topics and groups into those on the brokers and back. */
export interface KafkaNames {
  of(name: string): string;
  /** Returns the name that `of` was given. */
  without(kafkaName: string): string;
}

/** Returns the names of a deployment: `<prefix>.<name>`. */
export const kafkaNames = (prefix: string): KafkaNames => ({
  of: (name) => `${prefix}.${name}`,
  without: (kafkaName) => kafkaName.slice(prefix.length + 1),
});
