/**
 * What of the log has still to be put into its place: the active sequence ([MS-VHDX], 2.3).
 *
 * The log is a ring. Entries lie behind each other, with consecutive numbers; the last one says where the
 * first one is that counts, its tail. What is left of earlier rounds through the ring lies around them.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { guidText } from "../../kit/guid.ts";
import { damaged, unsupported } from "../errors.ts";
import type { Header } from "../header.ts";
import { LOG_ENTRY, PAGE_BYTES } from "../layout.ts";
import { entryLength, entryOf, type LogEntry } from "./entry.ts";

/** Programs make logs of 1 MiB. A larger one is not replayed. */
export const MAX_LOG_BYTES: number = 64 * 1024 * 1024;
/** Bytes of entries that are looked at, whether they are valid or not: so many times the log. */
const MAX_ROUNDS = 4;

/**
 * The entries that have to be applied, in their order; none if nothing has to be.
 *
 * @throws {ImageFormatError} if the log is damaged
 * @throws {UnsupportedFeatureError} if it is too large
 * @throws {SystemError} if it cannot be read
 */
export function activeEntries(
  file: ImageFile,
  { fields, hasLog }: Header,
  memory?: MemoryLimit,
): readonly LogEntry[] {
  if (!hasLog) return [];
  const { log_length: lengthBytes, log_offset } = fields;
  if (lengthBytes > MAX_LOG_BYTES) {
    throw unsupported(file.path, `a log of ${lengthBytes} bytes that has to be replayed`);
  }
  memory?.reserveMemory(lengthBytes);
  const buffer = IoBuffer.ofPages(lengthBytes);
  file.read(buffer, 0, Number(log_offset), lengthBytes);
  const ring = new Ring(buffer.bytes.subarray(0, lengthBytes), guidText(fields.log_guid) ?? "");
  const entries = ring.active();
  if (entries !== undefined) return entries;
  throw damaged(file.path, "the log has no sequence that could be replayed", Number(log_offset));
}

/** The log, and the valid entries in it by where they begin. */
class Ring {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #entries = new Map<number, LogEntry>();

  constructor(bytes: Uint8Array<ArrayBuffer>, logGuid: string) {
    this.#bytes = bytes;
    let budget = MAX_ROUNDS * bytes.length;
    for (let place = 0; place < bytes.length; place += PAGE_BYTES) {
      const head = bytes.subarray(place, place + LOG_ENTRY.sizeBytes);
      const lengthBytes = entryLength(head, logGuid);
      if (lengthBytes === 0 || lengthBytes > Math.min(bytes.length, budget)) continue;
      budget -= lengthBytes;
      const entry = entryOf(this.#around(place, lengthBytes));
      if (entry !== undefined) this.#entries.set(place, entry);
    }
  }

  /** Bytes that may go on at the start of the ring. */
  #around(place: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
    const inFirst = this.#bytes.length - place;
    if (lengthBytes <= inFirst) return this.#bytes.subarray(place, place + lengthBytes);
    const joined = new Uint8Array(lengthBytes);
    joined.set(this.#bytes.subarray(place));
    joined.set(this.#bytes.subarray(0, lengthBytes - inFirst), inFirst);
    return joined;
  }

  /** Undefined if there are entries, but none of them can be the last one. */
  active(): readonly LogEntry[] | undefined {
    const ends = this.#ends();
    let best: LogEntry[] | undefined;
    for (const [place, entry] of this.#entries) {
      if (ends.get(place) !== place) continue;
      const isNewer = best === undefined || sequenceOf(entry) > sequenceOf(best.at(-1));
      if (isNewer) best = this.#sequenceTo(place, entry, ends) ?? best;
    }
    if (best !== undefined) return best;
    // qemu has the tail of a log with one entry be anything.
    return this.#entries.size > 1 ? undefined : [...this.#entries.values()];
  }

  /** From the tail of an entry to itself; undefined if it is not so. */
  #sequenceTo(
    end: number,
    entry: LogEntry,
    ends: ReadonlyMap<number, number>,
  ): LogEntry[] | undefined {
    const { tail } = entry.fields;
    if (ends.get(tail) !== end) return undefined;
    const found: LogEntry[] = [];
    for (let place: number | undefined = tail; place !== undefined; place = this.#next(place)) {
      const one = this.#entries.get(place);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** Where the run ends that each entry is in. */
  #ends(): ReadonlyMap<number, number> {
    const ends = new Map<number, number>();
    for (const start of this.#entries.keys()) {
      const run: number[] = [];
      let place: number | undefined = start;
      let end: number | undefined;
      for (; place !== undefined && end === undefined; place = this.#next(place)) {
        run.push(place);
        end = ends.get(place);
      }
      for (const one of run) ends.set(one, end ?? run.at(-1) ?? start);
    }
    return ends;
  }

  /** Where the next entry of the same run begins. Numbers grow, so that no run is a circle. */
  #next(place: number): number | undefined {
    const entry = this.#entries.get(place);
    if (entry === undefined) return undefined;
    const next = (place + entry.bytes.length) % this.#bytes.length;
    const isNext = sequenceOf(this.#entries.get(next)) === sequenceOf(entry) + 1n;
    return isNext ? next : undefined;
  }
}

function sequenceOf(entry: LogEntry | undefined): bigint {
  return entry?.fields.sequence_number ?? 0n;
}
