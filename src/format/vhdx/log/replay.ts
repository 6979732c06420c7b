/**
 * The log, put into its place in memory: what an image is like that may not be written to.
 *
 * A file without a name, which is memory, has all that the log says at the offsets where it belongs; what
 * is to be zeros is a hole there.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import { memoryFile } from "../../../kernel/memory_file.ts";
import { ImageFile } from "../../../storage/image_file.ts";
import { zeroRange } from "../../../storage/zero_range.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged } from "../errors.ts";
import { PAGE_BYTES } from "../layout.ts";
import { type LogEntry, type LoggedRange, rangesOf } from "./entry.ts";

const RANGE_BYTES = 16;

/** A part of the file, from `start` up to `end`. */
interface Range {
  readonly start: number;
  end: number;
}

export class Replay implements Disposable {
  /** What has the bytes, at their offsets in the image's file. */
  readonly file: ImageFile;
  /** The image's file is so long, once all is in its place. */
  readonly sizeBytes: number;
  /** In order, apart from each other. */
  readonly #ranges: readonly Range[];

  /**
   * @throws {ImageFormatError} if what the log says cannot be
   * @throws {RangeError} if it is too much
   * @throws {SystemError} if there is no memory for it
   */
  constructor(image: ImageFile, entries: readonly LogEntry[], memory?: MemoryLimit) {
    this.sizeBytes = sizeAfter(image, entries);
    this.file = new ImageFile(memoryFile("vhdx log", new Uint8Array()), image.path);
    try {
      this.file.setSize(pagesUp(this.sizeBytes));
      this.#ranges = merged([...applied(this.file, entries, { limit: this, image, memory })]);
    } catch (error) {
      this.file[Symbol.dispose]();
      throw error;
    }
  }

  /** How many of the `lengthBytes` from `hostOffset` on it has; as a negative number, how many it has not. */
  coveredBytes(hostOffset: number, lengthBytes: number): number {
    const { start, end } = this.#ranges[this.#indexOf(hostOffset)] ?? { start: Infinity, end: 0 };
    if (start <= hostOffset) return Math.min(lengthBytes, end - hostOffset);
    return -Math.min(lengthBytes, start - hostOffset);
  }

  /** Of the first range that ends behind `hostOffset`. */
  #indexOf(hostOffset: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = low + high >>> 1;
      if ((this.#ranges[middle]?.end ?? 0) > hostOffset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Puts what it has of a range over what the image's file has there. */
  patch(target: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void {
    let done = 0;
    while (done < lengthBytes) {
      const count = this.coveredBytes(hostOffset + done, lengthBytes - done);
      if (count > 0) this.file.read(target, position + done, hostOffset + done, count);
      done += Math.abs(count);
    }
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
  }
}

/**
 * How long the file is to be.
 *
 * @throws {ImageFormatError} if it has become shorter than it was when the log was written
 */
export function sizeAfter(file: ImageFile, entries: readonly LogEntry[]): number {
  const last = entries.at(-1)?.fields;
  if (last === undefined) return file.sizeBytes;
  const { flushed_file_offset: flushed, last_file_offset: wanted } = last;
  if (flushed > BigInt(file.sizeBytes)) {
    throw damaged(
      file.path,
      `the file was cut off: it had ${flushed} bytes when it was written to`,
    );
  }
  if (wanted > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged(file.path, "the log has the file be longer than files can be");
  }
  return Math.max(file.sizeBytes, Number(wanted));
}

interface Limits {
  /** What belongs into the file has to lie in it. */
  readonly limit: Pick<Replay, "sizeBytes">;
  readonly image: ImageFile;
  readonly memory: MemoryLimit | undefined;
}

/** Puts all that entries say into `target`, in their order; the ranges of it. */
export function* applied(
  target: ImageFile,
  entries: readonly LogEntry[],
  { limit, image, memory }: Limits,
): Generator<Range> {
  const page = new IoBuffer(PAGE_BYTES);
  const end = BigInt(pagesUp(limit.sizeBytes));
  for (const entry of entries) {
    for (const range of rangesOf(entry)) {
      if (range.hostOffset + range.lengthBytes > end) {
        throw damaged(image.path, "the log has bytes for a place outside the file");
      }
      memory?.reserveMemory(RANGE_BYTES + (range.page?.length ?? 0));
      yield apply(target, range, page);
    }
  }
}

function pagesUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function apply(target: ImageFile, range: LoggedRange, page: IoBuffer): Range {
  const [start, lengthBytes] = [Number(range.hostOffset), Number(range.lengthBytes)];
  if (range.page !== undefined) {
    page.bytes.set(range.page);
    target.write(page, 0, start, PAGE_BYTES);
  } else if (lengthBytes > 0) writeZeros(target, start, lengthBytes);
  return { start, end: start + lengthBytes };
}

/** What lies behind the end of the file reads as zeros anyway. */
function writeZeros(target: ImageFile, hostOffset: number, mostBytes: number): void {
  const lengthBytes = Math.min(mostBytes, target.sizeBytes - hostOffset);
  if (lengthBytes <= 0 || zeroRange(target, "freed", { hostOffset, lengthBytes })) return;
  const zeros = IoBuffer.ofPages(Math.min(lengthBytes, 1024 * 1024));
  for (let done = 0; done < lengthBytes; done += zeros.size) {
    target.write(zeros, 0, hostOffset + done, Math.min(zeros.size, lengthBytes - done));
  }
}

function merged(ranges: Range[]): Range[] {
  const sorted = ranges.filter(({ start, end }) => end > start)
    .sort((one, other) => one.start - other.start);
  const joined: Range[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else joined.push(range);
  }
  return joined;
}
