/** @file Who a client is to its brokers, and what keeps it from them, as failures that name the settings to look at. */
import { certificateError, DomainError } from "../errors.ts";

/** How a client can log in. */
export const SASL_MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** Who a client is to the brokers. */
export interface KafkaLogin {
  readonly mechanism: (typeof SASL_MECHANISMS)[number];
  readonly username: string;
  readonly password: string;
}

/**
 * Returns the failure behind what kafkajs threw when it could not get at the brokers: QUEUE_DENIED and QUEUE_UNTRUSTED
 * (failedPrecondition: trying again does not help), else QUEUE_UNAVAILABLE.
 */
export function accessFailure(action: string, brokers: readonly string[], thrown: unknown): DomainError {
  const list = brokers.join(",");
  const options = { cause: thrown, info: { brokers: list } };
  const denial = loginRefusal(thrown);
  if (denial !== undefined) {
    const cure = "check KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD or KAFKA_PASSWORD_FILE";
    const message = `Cannot ${action}: Kafka brokers "${list}" refuse the login (${denial}); ${cure}`;
    return new DomainError("failedPrecondition", "QUEUE_DENIED", message, options);
  }
  const certificate = certificateError(thrown);
  if (certificate !== undefined) {
    const cure = "check KAFKA_CA_FILE, the host names in KAFKA_BROKERS and the certificate";
    const message = `Cannot ${action}: the certificate of Kafka brokers "${list}" is not trusted (${certificate}); ${cure}`;
    return new DomainError("failedPrecondition", "QUEUE_UNTRUSTED", message, options);
  }
  const cure = "check KAFKA_BROKERS, KAFKA_TLS, KAFKA_SASL_MECHANISM and the brokers' state";
  const message = `Cannot ${action}: Kafka brokers "${list}" do not answer as they should; ${cure}`;
  return new DomainError("unavailable", "QUEUE_UNAVAILABLE", message, options);
}

/** Returns what kafkajs says of a login that the brokers refused, from the error or its causes; undefined for other errors. */
function loginRefusal(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  return thrown.name === "KafkaJSSASLAuthenticationError" ? thrown.message : loginRefusal(thrown.cause);
}
