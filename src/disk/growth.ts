/**
 * Making a disk larger: what it gets reads as zeros, whatever its image or one below it has there.
 *
 * @module
 */
import type { Image } from "../image/driver.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import { Change, ChangeKind } from "./change.ts";
import { ChangeStep } from "./change_step.ts";
import { findRun, Run } from "./runs.ts";
import type { Writer } from "./writer.ts";

/** So much is asked about, and cleared, at once. */
const PIECE_BYTES = 2 ** 40;
/** Zeros that have to be written, as tables cannot say them. */
const ZEROS_BYTES = 64 * 1024;

/** What is needed to do it. */
export interface GrowthMeans {
  readonly image: Image;
  readonly writer: Writer;
  /**
   * Makes durable what has been changed.
   *
   * @returns false if that has failed
   */
  readonly flush: () => boolean;
}

/**
 * Makes the disk of an image `sizeBytes` large. Waits for the disk. Nobody else changes the image
 * meanwhile, and nothing that has been changed is being made durable.
 *
 * @throws {RangeError} if it has that size already or a larger one, or the format cannot do it
 * @throws {SystemError | ImageFormatError} if that fails; the disk has its old size then
 */
export function growDisk(sizeBytes: number, means: GrowthMeans): void {
  const { image } = means;
  const growth = image.writing?.growth;
  const oldBytes = image.sizeBytes;
  if (growth === undefined) throw new RangeError("images of this format are not made larger");
  if (sizeBytes < oldBytes) {
    throw new RangeError(`it has ${oldBytes} bytes, and is not made smaller`);
  }
  if (sizeBytes === oldBytes) return;
  const flush = (): void => {
    if (!means.flush()) throw new SystemError("fdatasync", EIO, image.writing?.files.at(-1)?.path);
  };
  growth.prepare(sizeBytes, flush);
  clearBehind(oldBytes, sizeBytes, { ...means, flush });
  flush();
  growth.finish();
}

interface Clearing extends Omit<GrowthMeans, "flush"> {
  readonly flush: () => void;
}

/** Clears what does not read as zeros: first the rest of a unit that the disk has a part of. */
function clearBehind(oldBytes: number, sizeBytes: number, means: Clearing): void {
  const { unitBytes = 1 } = means.image.writing?.tables ?? {};
  const end = Math.ceil(sizeBytes / unitBytes) * unitBytes;
  const run = new Run();
  run.seesHoles = false;
  for (let at = oldBytes; at < end; at += run.lengthBytes) {
    find(at, Math.min(end - at, PIECE_BYTES), run, means);
    if (!run.isZero) clear(at, run.lengthBytes, means);
  }
}

function find(offset: number, lengthBytes: number, run: Run, { image, flush }: Clearing): void {
  for (;;) {
    run.attempt.begin();
    if (findRun(image, offset, lengthBytes, run)) return;
    if (!run.attempt.wantsFlush) throw new Error("tables that nobody waits for");
    flush();
  }
}

function clear(offset: number, lengthBytes: number, { writer, flush }: Clearing): void {
  const change = new Change().ask(ChangeKind.WriteZeroes, offset, lengthBytes);
  const zeros = new IoBuffer(Math.min(ZEROS_BYTES, lengthBytes));
  writer.attempt.mayWait = true;
  writer.attempt.mayDefer = false;
  while (change.restBytes > 0) {
    const step = makeStep(change, writer, zeros);
    if (step > 0) change.doneBytes += step;
    else if (step === ChangeStep.Blocked && writer.attempt.wantsFlush) flush();
    else throw new Error(`a change that may wait came to ${step}`);
  }
}

function makeStep(change: Change, writer: Writer, zeros: IoBuffer): number {
  const step = writer.clear(change, 0, PIECE_BYTES);
  if (step !== ChangeStep.Unable) return step;
  return writer.writeZeros(change, 0, { zeros, mostBytes: zeros.size });
}
