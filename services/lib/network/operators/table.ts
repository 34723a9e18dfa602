/** @file The table of operators, one for each type of layer: the only place that knows them all. */
import type { Layer } from "../layers.ts";
import { convolution } from "./convolution.ts";
import { maxPool } from "./max-pool.ts";
import type { Operator } from "./operator.ts";
import { relu } from "./relu.ts";

type OperatorTable = { readonly [Type in Layer["type"]]: Operator<Extract<Layer, { type: Type }>> };

/** Every operator. A layer type without one, or an operator without a gradient, does not compile. */
const OPERATORS: OperatorTable = { conv: convolution, relu, maxPool };

/** Returns the operator for `layer`. */
export const operatorOf = (layer: Layer): Operator<Layer> => OPERATORS[layer.type] as Operator<Layer>; // right by the table's type, which TypeScript cannot follow through an index
