/**
 * The disk in a compressed file that can only be decompressed from its start on: all of it goes to a file
 * without a name, from which it is read.
 *
 *     compressed file ──decompressed, once──> spool ──what is there, at once──> who reads
 *
 * @module
 */
import type { ArrivalMeans, Arriving, FillJob } from "../../../image/arriving.ts";
import type { Image, Spool } from "../../../image/driver.ts";
import type { Mapping } from "../../../image/mapping.ts";
import type { Awaited } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import type { SlowTask } from "../../../storage/slow_lane.ts";
import { SPOOL_ADVICE, type SpoolFile } from "../../../storage/spool_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import { fillSpool } from "./fill.ts";

/** What an image consists of. */
export interface SpooledParts {
  readonly source: ImageFile;
  readonly spool: Spool;
  readonly job: Omit<FillJob, "limitBytes">;
}

export class SpooledImage implements Image {
  readonly fileHoles = "zeros";
  readonly arriving: SpooledContent;
  readonly warnings: readonly string[];
  readonly #spool: SpoolFile;

  constructor(parts: SpooledParts) {
    this.arriving = new SpooledContent(parts);
    this.#spool = parts.spool.file;
    this.warnings = wantOfRoom(parts);
  }

  get sizeBytes(): number {
    return this.arriving.sizeBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const inSpool = this.#spool.markBytes - guestOffset;
    if (inSpool > 0) {
      return mapping.setData(this.#spool, guestOffset, Math.min(lengthBytes, inSpool));
    }
    if (this.#spool.hasFailed) throw new SystemError("read", EIO, this.#spool.path);
    mapping.attempt.awaited = this.arriving;
    mapping.setBlocked();
  }

  [Symbol.dispose](): void {}
}

/** There may be enough room all the same: zeros take none. */
function wantOfRoom({ spool: { file, limitBytes = Infinity }, job }: SpooledParts): string[] {
  const mostBytes = Math.min(job.sizeBytes ?? 0, limitBytes);
  const { roomBytes } = file;
  if (mostBytes <= roomBytes) return [];
  return [
    `${file.path}: there is room for ${roomBytes} of up to ${mostBytes} bytes${SPOOL_ADVICE}`,
  ];
}

/** The spool, and those who wait for it in this thread. */
class SpooledContent implements Arriving, Awaited {
  readonly #source: ImageFile;
  readonly #spool: SpoolFile;
  readonly #job: FillJob;
  #sizeBytes: number | undefined;
  #waiters: SlowTask[] = [];
  #markBytes = 0;

  constructor({ source, spool: { file, limitBytes }, job }: SpooledParts) {
    this.#source = source;
    this.#spool = file;
    this.#job = { ...job, limitBytes };
    this.#sizeBytes = job.sizeBytes ?? (file.isComplete ? file.sizeBytes : undefined);
  }

  /** The most that is possible, where it is not known. */
  get sizeBytes(): number {
    return this.#sizeBytes ?? Number.MAX_SAFE_INTEGER;
  }

  get isSizeKnown(): boolean {
    return this.#sizeBytes !== undefined;
  }

  begin({ fillInThread, progress }: ArrivalMeans): void {
    const [source, spool] = [this.#source, this.#spool];
    if (this.isSizeKnown) {
      const { progress: shared } = spool;
      return fillInThread({
        ...this.#job,
        source: { fd: source.fd, path: source.path, sizeBytes: source.sizeBytes },
        spool: { fd: spool.fd, path: spool.path, sizeBytes: spool.sizeBytes, progress: shared },
      });
    }
    const bytes = fillSpool(
      this.#job,
      { source, spool },
      (takenBytes) => progress(takenBytes / source.sizeBytes),
    );
    spool.setSize(bytes);
    this.#sizeBytes = bytes;
  }

  addWaiter(task: SlowTask): void {
    this.#waiters.push(task);
  }

  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** All of them try again whenever something has come: who wants what does not matter. */
  reap(): void {
    const { markBytes, hasFailed } = this.#spool;
    if (markBytes === this.#markBytes && !hasFailed) return;
    this.#markBytes = markBytes;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const task of waiters) task.finished(0);
  }
}
