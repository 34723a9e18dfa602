/**
 * @file `node crd-schema.js FOLDER FILE…`: makes JSON schemas for kubeconform out of CustomResourceDefinitions, strict as the schemas of
 * Kubernetes' own kinds are: a field that the definition does not know is an error.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const Definition = z.object({
  kind: z.literal("CustomResourceDefinition"),
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: z.unknown() }) })),
  }),
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const mapped = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, strict(value)]));

/** Returns the schema with objects closed and "integer or string" in JSON Schema's own words. */
function strict(schema: unknown): unknown {
  if (!isRecord(schema) || schema["x-kubernetes-preserve-unknown-fields"] === true) return schema;
  const { type, anyOf, properties, items, additionalProperties, ...rest } = schema;
  const isIntOrString = schema["x-kubernetes-int-or-string"] === true;
  return {
    ...rest,
    ...(isIntOrString ? { oneOf: [{ type: "string" }, { type: "integer" }] } : { ...(type !== undefined && { type }) }),
    ...(anyOf !== undefined && !isIntOrString && { anyOf }),
    ...(isRecord(properties) && { properties: mapped(properties) }),
    ...(items !== undefined && { items: strict(items) }),
    ...(additionalProperties !== undefined
      ? { additionalProperties: strict(additionalProperties) }
      : isRecord(properties) && { additionalProperties: false }),
  };
}

const [folder, ...files] = process.argv.slice(2);
if (folder === undefined || files.length === 0) throw new Error("give a folder and at least one file");
for (const file of files) {
  for (const document of parseAllDocuments(await readFile(file, "utf8"))) {
    const { spec } = Definition.parse(document.toJS());
    for (const { name, schema } of spec.versions) {
      const target = `${spec.names.kind}-${spec.group.split(".")[0]}-${name}.json`.toLowerCase();
      await writeFile(join(folder, target), JSON.stringify(strict(schema.openAPIV3Schema)));
    }
  }
}
