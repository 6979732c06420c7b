/**
 * What commands ask of a daemon, and what it answers: one line of JSON each, and one request for each
 * connection.
 *
 *     command ── {"version":1,"id":42,"kind":"grow","bytes":1048576,"isMore":true} ──> daemon
 *             ── {"version":1,"id":43,"kind":"snapshot","change":{"action":"create","name":"x"}} ──>
 *             <────────── {"version":1,"ok":true,"sizeBytes":5242880} ────────
 *             <───── {"version":1,"ok":false,"message":"the device is …"} ────
 *
 * @module
 */
import { SNAPSHOT_ACTIONS, type SnapshotChange } from "../../image/snapshot_change.ts";

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

/** Change the internal snapshots of the image. */
export interface SnapshotRequest {
  readonly kind: "snapshot";
  readonly change: SnapshotChange;
}

/** What is to be done. */
export type Order = GrowRequest | SnapshotRequest;

/** An order with a number of its own: whoever is told it again has to do it once only. */
export type ControlRequest = Order & { readonly id: number };

/** A number that no order has yet, most probably. */
export function newOrderId(): number {
  const [id = 0] = crypto.getRandomValues(new Uint32Array(1));
  return id + 1;
}

/** It has been done. */
export interface Done {
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

export type ControlAnswer = Done | Refused;

export function encodeMessage(message: ControlRequest | ControlAnswer): string {
  return `${JSON.stringify({ version: VERSION, ...message })}\n`;
}

/**
 * The request in a line.
 *
 * @throws {Error} if it is none that this version understands
 */
export function decodeRequest(line: string): ControlRequest {
  const { version, kind, id = newOrderId(), ...rest }: Partial<
    Record<"version" | "kind" | "id", unknown>
  > = parse(line);
  if (version === VERSION && typeof id === "number") {
    if (kind === "grow" && isGrowth(rest)) return { kind, id, ...rest };
    if (kind === "snapshot" && isSnapshotChange(rest)) return { kind, id, change: rest.change };
  }
  throw new Error("it is of another version, and does not understand the command");
}

type Growth = Omit<GrowRequest, "kind">;

function isGrowth(rest: object): rest is Growth {
  const { bytes, isMore }: Partial<Growth> = rest;
  return typeof isMore === "boolean" && typeof bytes === "number" &&
    Number.isSafeInteger(bytes) && bytes >= 0;
}

function isSnapshotChange(rest: object): rest is Pick<SnapshotRequest, "change"> {
  const { change }: { change?: unknown } = rest;
  if (typeof change !== "object" || change === null) return false;
  const { action, name }: Partial<SnapshotChange> = change;
  return typeof name === "string" && SNAPSHOT_ACTIONS.some((known) => known === action);
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
