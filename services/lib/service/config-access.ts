/** @file Settings that let a process in at Kafka and S3: TLS, logins and keys, secrets from the environment or from files. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { type KafkaLogin, SASL_MECHANISMS } from "../queue/kafka-access.ts";

/** The text of the file that a setting names; `check` returns what is wrong with it. */
const fileSetting = (check: (content: string) => string | undefined) =>
  z.string().transform((path, context) => {
    let problem: string | undefined;
    try {
      const content = readFileSync(path, "utf8");
      problem = check(content);
      if (problem === undefined) return content;
    } catch (thrown) {
      problem = `cannot be read (${thrown instanceof Error && "code" in thrown ? thrown.code : thrown})`;
    }
    context.addIssue({ code: "custom", message: `"${path}" ${problem}; check the path, its rights and what it holds` });
    return z.NEVER;
  });

const certificateProblem = (content: string): string | undefined => {
  try {
    new X509Certificate(content);
    return undefined;
  } catch {
    return "holds no certificate in PEM form";
  }
};
const caFile = fileSetting(certificateProblem).optional();

// An editor, or `echo`, ends the last line; a secret does not.
const withoutNewline = (content: string): string => content.replace(/\r?\n$/, "");
const secretFile = fileSetting((content) => (withoutNewline(content) === "" ? "is empty" : undefined))
  .transform(withoutNewline)
  .optional();

const flag = (byDefault: boolean) =>
  z
    .enum(["true", "false"])
    .default(byDefault ? "true" : "false")
    .transform((text) => text === "true");

/** What `ServiceConfig` reads for it; a `…_FILE` becomes what the file holds. */
export const AccessSettings = {
  KAFKA_TLS: flag(false),
  KAFKA_CA_FILE: caFile,
  KAFKA_SASL_MECHANISM: z.enum(SASL_MECHANISMS).optional(),
  KAFKA_USERNAME: z.string().optional(),
  KAFKA_PASSWORD: z.string().optional(),
  KAFKA_PASSWORD_FILE: secretFile,
  S3_ACCESS_KEY: z.string().optional(),
  S3_ACCESS_KEY_FILE: secretFile,
  S3_SECRET_KEY: z.string().optional(),
  S3_SECRET_KEY_FILE: secretFile,
  S3_CA_FILE: caFile,
  S3_PATH_STYLE: flag(true),
};

type Access = z.output<z.ZodObject<typeof AccessSettings>>;

/** Returns how to connect to Kafka. */
export function kafkaAccess(env: Access): { tls?: { readonly ca?: string | undefined }; login?: KafkaLogin } {
  const password = env.KAFKA_PASSWORD ?? env.KAFKA_PASSWORD_FILE ?? "";
  const mechanism = env.KAFKA_SASL_MECHANISM;
  return {
    ...(env.KAFKA_TLS && { tls: { ca: env.KAFKA_CA_FILE } }),
    ...(mechanism && { login: { mechanism, username: env.KAFKA_USERNAME ?? "", password } }),
  };
}

/** Returns how to connect to S3. */
export function s3Access(env: Access) {
  return {
    accessKey: env.S3_ACCESS_KEY ?? env.S3_ACCESS_KEY_FILE ?? "",
    secretKey: env.S3_SECRET_KEY ?? env.S3_SECRET_KEY_FILE ?? "",
    ca: env.S3_CA_FILE,
    pathStyle: env.S3_PATH_STYLE,
  };
}

const SECRETS = ["KAFKA_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"] as const;

/** Returns what is wrong with the settings together, each beginning with the name of one to look at. */
export function accessProblems(env: Readonly<Record<string, string>>): readonly string[] {
  const problems: string[] = [];
  const refuse = (isWrong: boolean, problem: string) => {
    if (isWrong) problems.push(problem);
  };
  const has = (name: string): boolean => env[name] !== undefined;
  const hasSecret = (name: (typeof SECRETS)[number]): boolean => has(name) || has(`${name}_FILE`);
  for (const name of SECRETS) {
    refuse(has(name) && has(`${name}_FILE`), `${name}_FILE: is set beside ${name}; set one of the two`);
  }
  const logsIn = has("KAFKA_SASL_MECHANISM");
  refuse(logsIn && !has("KAFKA_USERNAME"), "KAFKA_USERNAME: must be set with KAFKA_SASL_MECHANISM");
  refuse(
    logsIn && !hasSecret("KAFKA_PASSWORD"),
    "KAFKA_PASSWORD: it or KAFKA_PASSWORD_FILE must be set with KAFKA_SASL_MECHANISM",
  );
  refuse(
    !logsIn && (has("KAFKA_USERNAME") || hasSecret("KAFKA_PASSWORD")),
    `KAFKA_SASL_MECHANISM: must be one of ${SASL_MECHANISMS.join(", ")} for a login to be made`,
  );
  refuse(
    has("KAFKA_CA_FILE") && env.KAFKA_TLS !== "true",
    "KAFKA_TLS: must be true for KAFKA_CA_FILE to be of any use",
  );
  for (const name of ["S3_ACCESS_KEY", "S3_SECRET_KEY"] as const) {
    refuse(has("S3_ENDPOINT") && !hasSecret(name), `${name}: it or ${name}_FILE must be set with S3_ENDPOINT`);
  }
  const isHttps = env.S3_ENDPOINT?.startsWith("https:") === true;
  refuse(has("S3_CA_FILE") && !isHttps, "S3_ENDPOINT: must begin with https: for S3_CA_FILE to be of any use");
  return problems;
}
