/** @file `npm run bench`: how the parts do on this machine, as ratios first, for rates depend on what else it is doing. Nothing is asserted. */
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { area } from "./area.ts";
import { cascade } from "./cascade.ts";
import { coordinator } from "./coordinator.ts";
import { database } from "./database.ts";
import { dense } from "./dense.ts";
import { extraction } from "./extraction.ts";
import { kafka } from "./kafka.ts";
import { type Benchmark, measure, type Result, type Spread } from "./measure.ts";
import { memory } from "./memory.ts";
import { overhead } from "./overhead.ts";
import { segmentation } from "./segmentation.ts";
import { sparse } from "./sparse.ts";
import { training } from "./training.ts";
import { tuning } from "./tuning.ts";
import { units } from "./units.ts";
import { ingestion, workers } from "./workers.ts";

/** A new one is a file beside these and an entry here. */
const BENCHMARKS: readonly Benchmark[] = [
  dense,
  sparse,
  extraction,
  training,
  cascade,
  segmentation,
  area,
  memory,
  database,
  tuning,
  coordinator,
  units,
  kafka,
  workers,
  ingestion,
  overhead,
];

const { values, positionals } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    small: { type: "boolean", default: false },
    models: { type: "string" },
    image: { type: "string" },
    rounds: { type: "string", default: "7" },
  },
  allowPositionals: true,
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

const number = (value: number): string => value.toPrecision(3).padStart(9);
const row = (name: string, { median, least, most }: Spread, unit: string): string =>
  `  ${name.padEnd(34)}${number(median)}${number(least)} ..${number(most)}  ${unit}`;

function table(results: readonly Result[]): string[] {
  const head = (title: string): string => `${title.padEnd(36)}   median   least ..     most`;
  return [
    head("ratios"),
    ...results.flatMap(({ ratios }) => ratios.map((ratio) => row(ratio.name, ratio, "x"))),
    "",
    head("rates and peaks"),
    ...results.flatMap(({ name, unit, rates }) => rates.map((rate) => row(`${name}: ${rate.name}`, rate, `${unit}/s`))),
    ...results.flatMap(({ name, peaks }) => peaks.map((peak) => row(`${name}: ${peak.name}, peak`, peak, "MB"))),
  ];
}

const chosen = BENCHMARKS.filter(({ name, onlyByName }) =>
  positionals.length === 0 ? onlyByName !== true : positionals.includes(name),
);
const rounds = Math.max(1, Math.floor(Number(values.rounds)) || 1);
if (chosen.length === 0) {
  tell(`bench: Cannot find "${positionals.join(", ")}"; there are ${BENCHMARKS.map(({ name }) => name).join(", ")}`);
  process.exitCode = 1;
} else {
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}`;
  const results: Result[] = [];
  for (const benchmark of chosen) {
    tell(`${benchmark.name}: ${rounds} rounds`);
    results.push(await measure(benchmark, rounds, values));
  }
  if (values.json) print(JSON.stringify({ machine, results }, undefined, 2));
  else for (const line of [machine, "", ...table(results)]) print(line);
}
