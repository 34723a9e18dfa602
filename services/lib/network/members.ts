/**
 * @file Models of several trainings of one network: the mean of their probabilities errs less than each of them, for what one training
 * makes of noise another does not (Hansen and Salamon, IEEE TPAMI 1990; Lakshminarayanan et al., NeurIPS 2017, sec. 2.4).
 */
import { invalid } from "../errors.ts";
import type { Graph, Value } from "./graph.ts";
import { MAX_PARAMETERS, type NetworkDescription } from "./network-description.ts";
import { constantParameters, layoutSize, parameterLayout } from "./parameters.ts";

/** Every member is computed at every pixel; beyond a few, one more gives next to nothing. */
export const MAX_MEMBERS = 8;
/** Members are trained with seeds that follow each other; the last one's is exact too. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER - MAX_MEMBERS;

/** Throws NETWORK_INVALID where so many members of a network have more parameters than a model may: it could not be imported. */
export function checkMembers(network: NetworkDescription, members: number): void {
  const each = layoutSize(parameterLayout(network));
  if (members * each <= MAX_PARAMETERS) return;
  const message = `Cannot use ${members} members of the network: each has ${each} parameters, together at most ${MAX_PARAMETERS} are possible`;
  throw invalid("NETWORK_INVALID", message);
}

/** Returns the name of a member's parameter (`conv1.weight`) in a model; the first member's is its own. */
export const memberName = (member: number, name: string): string =>
  member === 0 ? name : `member${member + 1}.${name}`;

/** Returns the mean of what `write` makes of each member's parameters, which are constants in the layout's order. */
export function meanOfMembers(
  graph: Graph,
  { network, members }: { readonly network: NetworkDescription; readonly members: readonly Float32Array[] },
  write: (parameters: readonly Value[]) => Value,
): Value {
  const [first, ...others] = members.map((parameters, member) => {
    const layout = parameterLayout(network).map((own) => ({ ...own, name: memberName(member, own.name) }));
    return write(constantParameters(graph, layout, parameters));
  });
  if (first === undefined) throw new Error("A model has at least one member");
  if (others.length === 0) return first;
  const sum = others.reduce((before, own) => graph.node("Add", [before, own]), first);
  return graph.node("Mul", [sum, graph.scalar(1 / members.length)]);
}
