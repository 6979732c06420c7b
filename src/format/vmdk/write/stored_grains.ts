/**
 * Which grains are stored, found by reading all tables: before an extent is written to, none may lie among
 * the metadata, nor share its place with another one.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { ONLY_READABLE } from "../../../image/errors.ts";
import { damaged } from "../errors.ts";
import type { Directory } from "../extents/directory.ts";
import type { HostedHeader } from "../extents/hosted_header.ts";
import { ENTRY_BYTES, ENTRY_NONE, ENTRY_ZERO, SECTOR_BYTES } from "../layout.ts";
import { type HostedParts, metadataEnd } from "./metadata_ranges.ts";

const BITS = 8;

/**
 * Where each grain begins, modulo the size of one.
 *
 * @param memory limits what finding out takes
 * @throws {ImageFormatError} if the extent had better not be written to
 * @throws {SystemError} if a table cannot be read
 */
export function grainPhase(parts: HostedParts, memory: MemoryLimit | undefined): number {
  const { file, header } = parts;
  const { grainBytes } = header;
  const end = Math.max(metadataEnd(parts), SECTOR_BYTES);
  const refuse = (message: string): never => {
    throw damaged(file.path, `${message}: ${ONLY_READABLE}`);
  };
  const used = new UsedGrains(Math.ceil(file.sizeBytes / grainBytes), memory);
  let phase: number | undefined;
  for (const entry of storedEntries(file, header, parts.directory)) {
    const hostOffset = entry * SECTOR_BYTES;
    phase ??= hostOffset % grainBytes;
    if (hostOffset % grainBytes !== phase) refuse("grains are not aligned to each other");
    if (hostOffset < end) {
      refuse(`a grain lies among the metadata, at 0x${hostOffset.toString(16)}`);
    }
    if (hostOffset >= file.sizeBytes) {
      refuse(`the grain at 0x${hostOffset.toString(16)} is missing`);
    }
    if (!used.add(Math.floor(hostOffset / grainBytes))) {
      refuse(`two grains are stored at 0x${hostOffset.toString(16)}`);
    }
  }
  return phase ?? header.overheadBytes % grainBytes;
}

/** Where in the file the last grain ends, or what comes before all of them; throws {@link SystemError}. */
export function storedEnd(parts: HostedParts): number {
  const { file, header, directory } = parts;
  let end = Math.max(metadataEnd(parts), header.overheadBytes);
  for (const entry of storedEntries(file, header, directory)) {
    end = Math.max(end, entry * SECTOR_BYTES + header.grainBytes);
  }
  return end;
}

/**
 * Has the copies of all tables say what those say.
 *
 * @throws {SystemError} if that cannot be read, or written
 */
export function renewCopies({ file, header, directory, copies }: HostedParts): void {
  if (copies === undefined) return;
  const table = new IoBuffer(header.tableEntries * ENTRY_BYTES);
  const copy = new IoBuffer(table.size);
  for (let index = 0; index < directory.count; index++) {
    file.read(table, 0, directory.hostOffset(index), table.size);
    file.read(copy, 0, copies.hostOffset(index), table.size);
    const isSame = table.bytes.every((byte, at) => byte === copy.bytes[at]);
    if (!isSame) file.write(table, 0, copies.hostOffset(index), table.size);
  }
}

/** A bit for each. */
class UsedGrains {
  readonly #bits: Uint8Array;

  constructor(count: number, memory: MemoryLimit | undefined) {
    const sizeBytes = Math.ceil(count / BITS);
    memory?.reserveMemory(sizeBytes);
    this.#bits = new Uint8Array(sizeBytes);
  }

  /** Whether it is the first one of that number. */
  add(number: number): boolean {
    const at = Math.floor(number / BITS);
    const bit = 1 << number % BITS;
    const before = this.#bits[at] ?? 0;
    this.#bits[at] = before | bit;
    return (before & bit) === 0;
  }
}

function* storedEntries(
  file: ImageFile,
  { tableEntries, hasZeroGrains }: HostedHeader,
  directory: Directory,
): Generator<number> {
  const table = new IoBuffer(tableEntries * ENTRY_BYTES);
  for (let index = 0; index < directory.count; index++) {
    file.read(table, 0, directory.hostOffset(index), table.size);
    for (let at = 0; at < table.size; at += ENTRY_BYTES) {
      const entry = table.view.getUint32(at, true);
      if (entry !== ENTRY_NONE && !(hasZeroGrains && entry === ENTRY_ZERO)) yield entry;
    }
  }
}
