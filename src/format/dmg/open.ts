/**
 * Opening an image, and describing it.
 *
 * @module
 */
import type { Image, MemoryLimit } from "../../image/driver.ts";
import { servedSize } from "../../image/exact.ts";
import { DMG } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { BYTES_OF_CHUNK } from "./chunks.ts";
import { type Content, entryCount, readEntries } from "./entries.ts";
import { DmgImage } from "./image.ts";
import { METHOD_NAMES, SECTOR_BYTES } from "./layout.ts";
import { readTables } from "./tables.ts";
import { readTrailer } from "./trailer.ts";

/** What an image has, and how large its disk is. */
interface Disk extends Content {
  readonly sizeBytes: number;
  readonly tables: number;
}

/** @throws as {@link readTrailer}, {@link readTables}, {@link readEntries} */
export function openDmg(file: ImageFile, memory: MemoryLimit | undefined): Image {
  const { chunks, sizeBytes } = readDisk(file, memory);
  return new DmgImage(file, chunks, sizeBytes);
}

/** The disk is as long as the trailer says, or what the tables tell of, if that is more. */
function readDisk(file: ImageFile, memory: MemoryLimit | undefined): Disk {
  const trailer = readTrailer(file);
  const tables = readTables(file, trailer);
  memory?.reserveMemory(entryCount(tables) * BYTES_OF_CHUNK);
  const content = readEntries(file, tables);
  const recorded = servedSize(trailer.sectors * BigInt(SECTOR_BYTES), DMG.name, file.path);
  const sizeBytes = Math.max(recorded, content.endBytes);
  return { ...content, sizeBytes, tables: tables.length };
}

/**
 * What an image says of itself. qemu tells nothing of what only this format has.
 *
 * @throws as {@link openDmg}
 */
export function describeDmg(file: ImageFile, memory?: MemoryLimit): ImageInfo {
  const { chunks, sizeBytes, tables } = readDisk(file, memory);
  const { methods, maxPieceBytes } = chunks.packing;
  const data = {
    tables,
    chunks: chunks.count,
    compression: methods.map((method) => METHOD_NAMES.get(method) ?? ""),
    ...(methods.length === 0 ? {} : { "largest-chunk": maxPieceBytes }),
  };
  return { format: "dmg", sizeBytes, specific: { type: "dmg", data } };
}
