/**
 * Opening the image of a job in the place of a daemon that was killed: over the files that that one had
 * open. No path is looked up: by now, it may lead elsewhere.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { openImage } from "../disk/open.ts";
import { RAW } from "../image/formats.ts";
import { replayChanges } from "../loop/replay_changes.ts";
import { ImageFile } from "../storage/image_file.ts";
import { SpoolFile } from "../storage/spool_file.ts";
import { hasSeenLoss } from "../storage/write_witness.ts";
import { TemporaryFile, type TemporaryOptions } from "../storage/temporary_file.ts";
import { MAX_DECODE_THREADS, ThreadedDecodeLane } from "../serve/decode_lane.ts";
import { Fd } from "../sys/files.ts";
import type { InheritedFile, Job } from "./job.ts";
import type { DescriptorLists } from "./job_descriptors.ts";
import { keptChanges } from "./kept_changes.ts";
import { readKeyFile } from "./key_file.ts";
import type { Opened } from "./opened.ts";
import type { AttachState } from "./state.ts";

/** What the daemon has that was killed. */
export interface Predecessor {
  readonly descriptors: DescriptorLists;
  /** Undefined if its file cannot be read. */
  readonly state: AttachState | undefined;
}

/**
 * Opens it, and makes all changes once more that were answered and are not in it yet.
 *
 * @throws {Error} if it has become something that cannot be served, or one cannot be made
 */
export function openAgain(job: Job, { descriptors, state }: Predecessor): Opened {
  const { image: request, inherited = [] } = job;
  const { files: numbers = [], keys: [keyFile] = [] } = descriptors;
  const kept = keptChanges(descriptors);
  const outlivesProcess = kept !== undefined;
  const files = inherited.map((file, n) =>
    openInherited(file, numbers[n] ?? -1, { outlivesProcess })
  );
  // The layer that is written to comes last.
  const layer = request.overlay === undefined ? undefined : files.pop();
  const [file, ...replay] = files;
  if (file === undefined) throw new Error("an image without a file");
  const keys = readKeyFile(keyFile);
  if (keyFile !== undefined) new Fd(keyFile).close();
  const decoding = new ThreadedDecodeLane(Math.min(job.threads - 1, MAX_DECODE_THREADS));
  const access = openImage(file, request, {
    keys,
    decoding,
    replay,
    isInherited: true,
    kept,
    ...(layer === undefined ? {} : { overlay: { file: layer } }),
  });
  if (request.format !== RAW.name) assertSameDisk(access, state);
  if (haveSeenLoss(descriptors)) access.kept?.journal.setLost();
  replayChanges(access);
  return { access, keys, decoding, request, warnings: [] };
}

/** Whether the killed daemon may have been told that something was lost, and not have said so. */
function haveSeenLoss({ witnesses = [] }: DescriptorLists): boolean {
  const seen = witnesses.map(hasSeenLoss);
  for (const fd of witnesses) new Fd(fd).close();
  return seen.includes(true);
}

/** An image that another one was written over has to be told before anything is written to it. */
function assertSameDisk({ sizeBytes }: ImageAccess, state: AttachState | undefined): void {
  if (state === undefined || sizeBytes >= state.sizeBytes) return;
  const sizes = `${sizeBytes} bytes instead of ${state.sizeBytes}`;
  throw new Error(`there is another disk in the image by now: ${sizes}`);
}

function openInherited(
  { path, kind, limitBytes }: InheritedFile,
  number: number,
  options: TemporaryOptions,
): ImageFile {
  const fd = new Fd(number);
  switch (kind) {
    case "image":
      return new ImageFile(fd, path);
    case "spool":
      return new SpoolFile(fd, path);
    case "temporary":
      return new TemporaryFile(fd, path, limitBytes ?? Infinity, options);
  }
}
