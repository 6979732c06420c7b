/**
 * Checking an expanding image: where its entries lead, what lies behind the last cluster, and whether it was
 * closed in order (qemu, block/parallels.c). Nothing is repaired.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../image/checking.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { type Header, isInUse, readHeader } from "./header.ts";
import { ENTRY_BYTES, ENTRY_FREE, HEADER } from "./layout.ts";

/** So many entries are read at once, and then it is said how far it has come. */
const READ_ENTRIES = 16384;
/** Each of so many faults is told. */
const MAX_TOLD = 100;

/**
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} if something shall be repaired
 * @throws {SystemError} if the file cannot be read
 */
export function checkExpanding(file: ImageFile, options: CheckOptions): CheckResult {
  if (options.repair !== "none") {
    throw new UnsupportedFeatureError(PARALLELS.name, file.path, "a repair");
  }
  const header = readHeader(file);
  const survey = new Survey(file, header, options);
  if (isInUse(header)) survey.fault("the image was not closed in order");
  for (const [index, entry] of entriesOf(file, header, options)) survey.look(index, entry);
  const { end, used, fragmented, faults } = survey;
  const behind = Math.max(0, file.sizeBytes - end);
  const leaks = end === 0 ? 0 : Math.ceil(behind / header.clusterBytes);
  if (leaks > 0) options.report(`${behind} bytes behind the last cluster are not used`);
  return {
    corruptions: faults,
    leaks,
    corruptionsFixed: 0,
    leaksFixed: 0,
    imageEndOffset: end,
    totalClusters: header.entries,
    allocatedClusters: used,
    fragmentedClusters: fragmented,
    compressedClusters: 0,
  };
}

function* entriesOf(
  file: ImageFile,
  { entries }: Header,
  { progress }: CheckOptions,
): Generator<[index: number, entry: number]> {
  const buffer = new IoBuffer(READ_ENTRIES * ENTRY_BYTES);
  for (let first = 0; first < entries; first += READ_ENTRIES) {
    const count = Math.min(READ_ENTRIES, entries - first);
    file.read(buffer, 0, HEADER.sizeBytes + first * ENTRY_BYTES, count * ENTRY_BYTES);
    for (let n = 0; n < count; n++) yield [first + n, buffer.view.getUint32(n * ENTRY_BYTES, true)];
    progress?.((first + count) / entries);
  }
}

class Survey {
  readonly #file: ImageFile;
  readonly #header: Header;
  readonly #report: CheckOptions["report"];
  /** A bit for each cluster of the file, set if it is used. */
  readonly #seen: Uint8Array;
  #before = 0;
  #end = 0;
  #used = 0;
  #fragmented = 0;
  #faults = 0;

  constructor(file: ImageFile, header: Header, { report }: CheckOptions) {
    this.#file = file;
    this.#header = header;
    this.#report = report;
    this.#seen = new Uint8Array(Math.ceil(file.sizeBytes / header.clusterBytes / 8));
    if (header.extensionOffset > 0n) {
      this.#end = Number(header.extensionOffset) + header.clusterBytes;
    }
  }

  /** Where the last cluster ends. */
  get end(): number {
    return this.#end;
  }

  get used(): number {
    return this.#used;
  }

  get fragmented(): number {
    return this.#fragmented;
  }

  get faults(): number {
    return this.#faults;
  }

  /** Takes notice of where an entry leads. */
  look(index: number, entry: number): void {
    const { clusterBytes, entryUnitBytes, dataOffset } = this.#header;
    const before = this.#before;
    this.#before = 0;
    if (entry === ENTRY_FREE) return;
    const hostOffset = entry * entryUnitBytes;
    const place = `0x${hostOffset.toString(16)}`;
    if (hostOffset < dataOffset || hostOffset >= this.#file.sizeBytes) {
      return this.fault(`cluster ${index} is said to be at ${place}, where no data can be`);
    }
    if (this.#isSeen(hostOffset)) {
      this.fault(`cluster ${index} is at ${place}, where another one is`);
    }
    this.#used++;
    this.#end = Math.max(this.#end, hostOffset + clusterBytes);
    if (before !== 0 && before + clusterBytes !== hostOffset) this.#fragmented++;
    this.#before = hostOffset;
  }

  #isSeen(hostOffset: number): boolean {
    const cluster = Math.floor(hostOffset / this.#header.clusterBytes);
    const [at, bit] = [cluster >> 3, 1 << (cluster & 7)];
    const seen = this.#seen[at] ?? 0;
    this.#seen[at] = seen | bit;
    return (seen & bit) !== 0;
  }

  fault(what: string): void {
    this.#faults++;
    if (this.#faults <= MAX_TOLD) this.#report(what);
  }
}
