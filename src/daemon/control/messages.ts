/**
 * What commands ask of a daemon, and what it answers: one line of JSON each, and one request for each
 * connection.
 *
 *     command ── {"version":1,"kind":"grow","bytes":1048576,"isMore":true} ──> daemon
 *             <────────── {"version":1,"ok":true,"sizeBytes":5242880} ────────
 *             <───── {"version":1,"ok":false,"message":"the device is …"} ────
 *
 * @module
 */

/** Raised when what an older daemon would make of a request is not what is meant. */
const VERSION = 1;
/** A request is not longer, in bytes. */
export const MAX_REQUEST_BYTES = 4096;

/** Make the disk of the image larger. */
export interface GrowRequest {
  readonly kind: "grow";
  readonly bytes: number;
  /** Whether that is how much comes to what the disk has. */
  readonly isMore: boolean;
}

export type ControlRequest = GrowRequest;

/** The disk has been made larger. */
export interface Grown {
  readonly ok: true;
  /** Of what the device shows. */
  readonly sizeBytes: number;
}

/** It has not been done. */
export interface Refused {
  readonly ok: false;
  /** Why, for the user. */
  readonly message: string;
}

export type ControlAnswer = Grown | Refused;

export function encodeMessage(message: ControlRequest | ControlAnswer): string {
  return `${JSON.stringify({ version: VERSION, ...message })}\n`;
}

/**
 * The request in a line.
 *
 * @throws {Error} if it is none that this version understands
 */
export function decodeRequest(line: string): ControlRequest {
  const { version, kind, bytes, isMore }: Partial<GrowRequest & { version: number }> = parse(line);
  const isKnown = version === VERSION && kind === "grow" && typeof isMore === "boolean" &&
    typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0;
  if (!isKnown) throw new Error("it is of another version, and does not understand the command");
  return { kind, bytes, isMore };
}

/**
 * The answer in a line.
 *
 * @throws {Error} if it is none that this version understands
 */
export function decodeAnswer(line: string): ControlAnswer {
  const { ok, message, sizeBytes }: { ok?: unknown; message?: unknown; sizeBytes?: unknown } =
    parse(
      line,
    );
  if (ok === false && typeof message === "string") return { ok, message };
  if (ok === true && typeof sizeBytes === "number") return { ok, sizeBytes };
  throw new Error("it is of another version, and its answer is not understood");
}

function parse(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
