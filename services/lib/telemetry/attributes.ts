/** @file What spans and metrics say about a thing besides its name. */

/** Values by name; one that is undefined is left out. Never a file name, a patient or an error's message, which may quote one. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Returns the attributes that have a value: the SDK would export an undefined one as such. */
export const defined = (attributes: Attributes): Record<string, string | number | boolean> => {
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) kept[name] = value;
  return kept;
};
