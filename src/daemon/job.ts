/**
 * What the command hands to the daemon it starts, and what it hears back.
 *
 *     command                                daemon
 *        │ ── descriptors, job (stdin) ────────> │ opens and locks the image
 *        │ <─────────── ready, or why not ──── │ serves
 *        │ configures the device                 │
 *        │ ── "hand over" over the lifeline ───> │
 *        │ <──────── descriptors (stdin) ─────── │ for whoever takes its place if it is killed
 *        │ ── "go" over the lifeline ──────────> │ (its end without "go": the command failed)
 *     watcher <──────────────── "done" at the end ┘ (its end without "done": the daemon was killed)
 *
 * @module
 */
import type { ImageRequest } from "../disk/request.ts";
import type { WantedSectors } from "../disk/sector_size.ts";
import { KERNEL_LOG_FD } from "../sys/kernel_log.ts";
import { RUN_FOLDER_FD } from "../sys/run_folder.ts";
import { keepSecret } from "../sys/secret.ts";
import type { BoundSocket } from "../sys/sockets.ts";
import type { ServedLayout } from "../view/served_layout.ts";
import { DAEMON_ARGUMENT } from "./hidden_arguments.ts";
import type { DescriptorCounts } from "./job_descriptors.ts";
import type { WritePolicy } from "../loop/write_policy.ts";
import type { ServedTransport } from "./served_transport.ts";

/** For what a daemon serves to be shown on its command line, in bytes. */
export const COMMAND_LINE_ROOM_BYTES = 1024;

/**
 * Descriptors of the daemon. Deno duplicates the standard ones at its start, so that the answer
 * could not be ended by closing one of those. What it is to serve comes with its job.
 */
export const DaemonFd = {
  Job: 0,
  Errors: 2,
  Ready: 3,
  Lifeline: 4,
  Watch: 5,
  RunFolder: RUN_FOLDER_FD,
  KernelLog: KERNEL_LOG_FD,
} as const;

export interface Job {
  /** Absolute path without symbolic links. */
  readonly imagePath: string;
  /** What is wanted; the format may be `auto` here. */
  readonly image: ImageRequest;
  readonly transport: ServedTransport;
  /** How many descriptors of each kind come with it; left out by who sends none. */
  readonly descriptors?: DescriptorCounts;
  /** Most threads to use. */
  readonly threads: number;
  /** Whether those of a FUSE session start at once, not only under load. */
  readonly startAllThreads: boolean;
  /** As {@link LoopContext.cleanIntervalMs}, in seconds. */
  readonly cleanIntervalSeconds: number;
  readonly writePolicy: WritePolicy;
  /**
   * Logical block size of the device, as far as it was asked for: what of the disk does not fill one is
   * not shown.
   */
  readonly sectorBytes?: WantedSectors | undefined;
  /** What else is served besides the disk; transport view only. */
  readonly servedLayout?: ServedLayout;
  /** The listening socket, to be removed at the end; transport socket only. */
  readonly socket?: BoundSocket;
  /**
   * The files that the image was opened over, in the order in which that asks for them, where a daemon takes
   * the place of one that was killed. They come with it, open and locked.
   */
  readonly inherited?: readonly InheritedFile[];
  /** What unlocks the image, if that is known. It follows the rest as it is, never as text. */
  readonly passphrase?: Uint8Array;
}

/** A file that was opened by a daemon that is no more. */
export interface InheritedFile {
  /** What it was called. */
  readonly path: string;
  /** A spool takes what is decompressed as a whole: that begins anew. What is temporary is never synced. */
  readonly kind: "image" | "spool" | "temporary";
  /** What may be stored of a temporary one, if there is a limit. */
  readonly limitBytes?: number;
}

/** Ends the text of a job. JSON has no such byte. */
const END_OF_TEXT = 0;

/** A job as the daemon reads it. */
export function encodeJob({ passphrase, ...job }: Job): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(job));
  if (passphrase === undefined) return text;
  const bytes = new Uint8Array(text.length + 1 + passphrase.length);
  bytes.set(text);
  bytes[text.length] = END_OF_TEXT;
  bytes.set(passphrase, text.length + 1);
  return bytes;
}

/**
 * The job in `bytes`, which are overwritten: they may hold a passphrase.
 *
 * @throws {Error} if there is none: the command was killed, or the daemon started by hand
 */
export function decodeJob(bytes: Uint8Array): Job {
  const end = bytes.indexOf(END_OF_TEXT);
  const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  const job = parseJob(text);
  if (end < 0) return job;
  return { ...job, passphrase: keepSecret(bytes.subarray(end + 1)) };
}

function parseJob(text: string): Job {
  try {
    const job = JSON.parse(text) as Partial<Job> | null;
    if (typeof job?.imagePath === "string" && job.image !== undefined) return job as Job;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Error(`${DAEMON_ARGUMENT} is for tslosetup itself: there is nothing to serve`);
}

/** The daemon serves. */
export interface Ready {
  readonly ok: true;
  readonly format: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Logical block size of the device: as asked for, or found. */
  readonly sectorBytes: number;
  /** Transmission flags for the kernel. */
  readonly flags: number;
  /** How many connections are of use at most: one where only one thread may change the image. */
  readonly connections: number;
  /** Lines for the user that are no errors. */
  readonly warnings: readonly string[];
  /** {@link ImageFile.identity} of the files it reads: the image's own first, then those below it. */
  readonly files: readonly string[];
}

/** It does not, and has ended. */
export interface Refusal {
  readonly ok: false;
  /** Text to follow the image's name. */
  readonly message: string;
  /** Whether a passphrase would have helped. */
  readonly needsPassphrase?: true;
}

export type Answer = Ready | Refusal;

/** What {@link DaemonFd.Lifeline} carries when the device is set up, before its path. */
export const GO = "go ";
/** What it may carry before: the daemon is to hand over what another one would need to take its place. */
export const HAND_OVER = "hand over\n";

/** What a daemon that ends in order writes to {@link DaemonFd.Watch}. */
export const DONE = "done\n";
/** What it writes there to have the kernel told that its nbd device goes with its last close. */
export const LEAVE = "leave\n";
