/** @file HTTP that notices a silent server: minio-js waits for ever. */
import type http from "node:http";

/** What minio-js takes as its transport. */
export type Transport = Pick<typeof http, "request">;

/**
 * Returns a transport whose requests fail once nothing has moved for `timeoutMs` although it was the server's turn; a
 * body that we are slow to send or to read is no failure of the server's.
 */
export const impatientTransport = (base: Transport, timeoutMs: number): Transport => {
  const send = (options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) => {
    const request = base.request(options, onResponse);
    let response: http.IncomingMessage | undefined;
    request.on("response", (incoming) => {
      response = incoming;
    });
    request.setTimeout(timeoutMs);
    request.on("timeout", () => {
      const isOurTurn = response
        ? response.readableLength > 0
        : !request.writableEnded && request.writableLength === 0 && request.socket?.connecting === false;
      // A timer that has fired starts again by itself only when something moves.
      if (isOurTurn) request.socket?.setTimeout(timeoutMs);
      else (response ?? request).destroy(new Error(`No answer from the object store within ${timeoutMs} ms`));
    });
    return request;
  };
  // minio-js calls it in this one form of request's overloads.
  return { request: send as Transport["request"] };
};
