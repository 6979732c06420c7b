/**
 * The table at the end of a seekable file (zstd's contrib/seekable_format): a skippable frame that says how
 * long all frames before it are.
 *
 * @module
 */
import { skippableBytes } from "../../codec/zstd_frame.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { SEEK_FOOTER, SEEK_MAGIC, SeekFlag, SKIPPABLE_HEADER_BYTES } from "./layout.ts";
import type { ZstdFrame } from "./frames.ts";

/** Two numbers of four bytes, and a checksum where there are some. */
const ENTRY_BYTES = 8;
const CHECKSUM_BYTES = 4;
/** Larger ones belong to disks of terabytes, and are not looked at. */
const MAX_TABLE_BYTES = 4 * 1024 * 1024;

/** The frames of a seekable file; undefined if it is none, or its table does not fit. */
export function readSeekTable(file: ImageFile): readonly ZstdFrame[] | undefined {
  const footerOffset = file.sizeBytes - SEEK_FOOTER.sizeBytes;
  if (footerOffset < SKIPPABLE_HEADER_BYTES) return undefined;
  const { view } = read(file, footerOffset, SEEK_FOOTER.sizeBytes);
  const { frames: count, flags, magic } = SEEK_FOOTER.read(view, 0);
  if (magic !== SEEK_MAGIC || (flags & SeekFlag.Reserved) !== 0) return undefined;
  const entryBytes = ENTRY_BYTES + ((flags & SeekFlag.Checksums) === 0 ? 0 : CHECKSUM_BYTES);
  const tableOffset = footerOffset - count * entryBytes;
  const frameOffset = tableOffset - SKIPPABLE_HEADER_BYTES;
  if (frameOffset < 0 || count * entryBytes > MAX_TABLE_BYTES) return undefined;
  const head = read(file, frameOffset, SKIPPABLE_HEADER_BYTES);
  if (skippableBytes(head.view) !== file.sizeBytes - frameOffset) return undefined;
  const frames = framesOf(read(file, tableOffset, count * entryBytes).view, entryBytes);
  const { hostOffset = 0, hostBytes = 0 } = frames.at(-1) ?? {};
  return hostOffset + hostBytes === frameOffset ? frames : undefined;
}

function framesOf(table: DataView, entryBytes: number): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let hostOffset = 0;
  for (let at = 0; at < table.byteLength; at += entryBytes) {
    const hostBytes = table.getUint32(at, true);
    frames.push({ hostOffset, hostBytes, contentBytes: table.getUint32(at + 4, true) });
    hostOffset += hostBytes;
  }
  return frames;
}

function read(file: ImageFile, hostOffset: number, lengthBytes: number): IoBuffer {
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}
