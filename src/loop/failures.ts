/**
 * Requests that fail: what the log says of them, and which error number the other side is told.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import { reasonOf } from "../sys/reason.ts";

/** A request for the log. */
export interface FailedRequest {
  readonly what: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Where errors of requests are reported. */
export interface ErrorLog {
  error(message: string): void;
}

/** Logs why a request failed; returns its error number, EIO for a damaged image. */
export type Failure = (request: FailedRequest, error: unknown) => number;

/** @param path of the image, which is in every line anyway */
export function failuresOf(path: string, log: ErrorLog): Failure {
  return ({ what, offset, lengthBytes }, error) => {
    const text = `${otherFile(error, path)}${reasonOf(error)}`;
    log.error(`${what} of ${lengthBytes} bytes at ${offset} failed: ${text}`);
    return error instanceof SystemError ? error.errno : EIO;
  };
}

/** The file an error is about, if it is another one than the image's own. */
function otherFile(error: unknown, imagePath: string): string {
  const isAboutFile = error instanceof SystemError || error instanceof ImageFormatError;
  const path = isAboutFile ? error.path : undefined;
  return path === undefined || path === imagePath ? "" : `${path}: `;
}
