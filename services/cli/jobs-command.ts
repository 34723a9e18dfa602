/** @file The sub-commands of `radhical jobs`. */
import type { Command } from "commander";
import { cancelJob, followJob, listDeadLetters, listJobs, replayJob, withJobs } from "./jobs.ts";
import { JobsListOptions, JobsOptions, parseOptions } from "./options.ts";
import { JSON_HELP, type Output } from "./output.ts";

/** Runs work with the output that was asked for, and reports how it failed. */
export type Report = (json: unknown, work: (output: Output) => Promise<void>) => Promise<void>;

const ANY_SERVICE_HELP = "any service of the deployment (default: a RADHICAL_<SERVICE>_ADDRESS, else 127.0.0.1:50051)";

/** Adds `radhical jobs` to the program. */
export function addJobsCommand(program: Command, report: Report, env: NodeJS.ProcessEnv): void {
  const jobs = program
    .command("jobs")
    .summary("list, watch, cancel and replay the jobs of running services")
    .description("Lists, watches, cancels and replays the jobs of services that run (radhical serve).")
    .showHelpAfterError("(radhical jobs --help shows how)")
    .helpOption("-h, --help", "show this")
    .helpCommand(false);

  const add = (usage: string, summary: string): Command =>
    jobs
      .command(usage)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .option("--address <host:port>", ANY_SERVICE_HELP)
      .option("--json", JSON_HELP)
      .helpOption("-h, --help", "show this");

  type Use = Parameters<typeof withJobs>[2];
  const run = (given: { readonly json?: unknown }, use: (output: Output) => Use): Promise<void> =>
    report(given.json, (output) => withJobs(parseOptions(JobsOptions, given).address, env, use(output)));

  add("list", "list jobs, newest first")
    .option("--service <name>", "of this service only")
    .action((given) =>
      run(given, (output) => {
        const options = parseOptions(JobsListOptions, given);
        return (client) => listJobs(client, output, options);
      }),
    );
  add("watch <job>", "follow a job to its end; exit code 1 unless it succeeds").action((job: string, given) =>
    run(given, (output) => (client) => followJob(client, output, job)),
  );
  add("cancel <job>", "ask a job to stop").action((job: string, given) =>
    run(given, (output) => (client) => cancelJob(client, output, job)),
  );
  add("dead-letters [job]", "list work that was given up, of one job or of all, with the reason").action(
    (job: string | undefined, given) => run(given, (output) => (client) => listDeadLetters(client, output, job)),
  );
  add("replay <job>", "try the dead units of a failed job again; what is done stays done").action(
    (job: string, given) => run(given, (output) => (client) => replayJob(client, output, job)),
  );
}
