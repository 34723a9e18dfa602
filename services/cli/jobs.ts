/** @file `radhical jobs`: what services work on, asked and told by RPC. Any service answers for every job. */
import type { Client } from "nice-grpc";
import { DomainError } from "../lib/errors.ts";
import { type DeadLetter, type Job, JobState, JobsServiceDefinition } from "../lib/proto/radhical/v1/jobs.ts";
import { connect } from "../lib/service/client.ts";
import { stateWord } from "../lib/service/jobs/job-store.ts";
import { SERVICE_NAMES } from "../lib/service/service-names.ts";
import { watchJob } from "./follow-job.ts";
import { untilInterrupted } from "./interrupt.ts";
import type { JobsListOptions } from "./options.ts";
import { countOf, type Output } from "./output.ts";
import { addressVariable, checkReachable } from "./services.ts";

/** Where `radhical serve` listens unless told otherwise. */
const DEFAULT_ADDRESS = "127.0.0.1:50051";

type Environment = Readonly<Record<string, string | undefined>>;
type Jobs = Client<typeof JobsServiceDefinition>;

/** Returns the first address there is: given, of any service by its variable, or where services listen by default. */
const findAddress = (given: string | undefined, env: Environment): string =>
  given ?? SERVICE_NAMES.map((name) => env[addressVariable(name)]).find((address) => address) ?? DEFAULT_ADDRESS;

/** Runs `use` with a client of JobsService. Throws SERVICES_UNREACHABLE and TOKEN_WRONG. */
export async function withJobs(
  address: string | undefined,
  env: Environment,
  use: (jobs: Jobs) => Promise<void>,
): Promise<void> {
  const target = findAddress(address, env);
  const connection = connect(target, env.RADHICAL_TOKEN);
  try {
    await checkReachable(target, connection, "or name a service that runs by --address");
    await untilInterrupted(use(connection.client(JobsServiceDefinition)));
  } finally {
    connection.close();
  }
}

const progressOf = ({ done, total, unit }: Job): string => countOf({ done: Number(done), total: Number(total), unit });

const timeOf = (time: Date | undefined): string => time?.toISOString() ?? "";

const jobValue = ({ state, done, total, deadUnits, submittedAt, updatedAt, ...job }: Job) => ({
  ...job,
  state: stateWord(state),
  done: Number(done),
  total: Number(total),
  deadUnits: Number(deadUnits),
  submittedAt: timeOf(submittedAt),
  updatedAt: timeOf(updatedAt),
});

const letterValue = ({ at, ...letter }: DeadLetter) => ({ ...letter, at: timeOf(at) });

const jobLine = (job: Job): string => {
  const why = job.reason || job.note;
  const words = [job.id, timeOf(job.submittedAt), `${job.service}/${job.kind}`.padEnd(20), stateWord(job.state)];
  return `${words.join("  ")}, ${progressOf(job)}${why === "" ? "" : `: ${why}`}`;
};

/** Lists jobs, newest first. */
export async function listJobs(jobs: Jobs, output: Output, { service }: JobsListOptions): Promise<void> {
  const listed = await jobs.listJobs({ service: service ?? "" });
  const lines = listed.jobs.map(jobLine);
  output.result(lines.length === 0 ? "no jobs" : lines.join("\n"), listed.jobs.map(jobValue));
}

/** Follows a job to its end. Throws JOB_FAILED unless it succeeds. */
export async function followJob(jobs: Jobs, output: Output, jobId: string): Promise<void> {
  const job = await watchJob(jobs, "job", jobId, output);
  if (job.state !== JobState.JOB_STATE_SUCCEEDED) {
    const why = job.reason === "" ? `it was ${stateWord(job.state)}` : job.reason;
    throw new DomainError("failedPrecondition", "JOB_FAILED", `Job "${jobId}" did not succeed: ${why}`);
  }
  output.result(jobLine(job), jobValue(job));
}

/** Asks a job to stop. */
export async function cancelJob(jobs: Jobs, output: Output, jobId: string): Promise<void> {
  const { job } = await jobs.cancelJob({ jobId });
  if (job) output.result(jobLine(job), jobValue(job));
}

/** Lists work that was given up: of a job, or of all and of none. */
export async function listDeadLetters(jobs: Jobs, output: Output, jobId: string | undefined): Promise<void> {
  const { deadLetters, hasMore } = await jobs.listDeadLetters({ jobId: jobId ?? "" });
  const lines = deadLetters.map((letter) => {
    const whose = letter.jobId === "" ? "no job" : `${letter.jobId} unit ${letter.unit}`;
    return `${whose}  ${timeOf(letter.at)}  ${letter.topic}, tried ${letter.attempts} times: ${letter.error}`;
  });
  if (hasMore) output.note(`there are others; these are ${deadLetters.length} of them`);
  output.result(lines.length === 0 ? "no dead letters" : lines.join("\n"), deadLetters.map(letterValue));
}

/** Gives a failed job its next life. */
export async function replayJob(jobs: Jobs, output: Output, jobId: string): Promise<void> {
  const { job, replayedUnits } = await jobs.replayJob({ jobId });
  if (!job) throw new DomainError("unavailable", "JOB_MISSING", "Cannot replay: the service answered without a job");
  const text = `${replayedUnits} dead units go again; follow them with: radhical jobs watch ${job.id}`;
  output.result(text, { ...jobValue(job), replayedUnits: Number(replayedUnits) });
}
