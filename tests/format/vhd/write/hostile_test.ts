/**
 * Hostile images that are written to: nothing is written but where the image's own table allows it, and
 * nothing else goes wrong than that an image is refused.
 *
 * @module
 */
import { DiskType, DYNAMIC_HEADER, FOOTER } from "../../../../src/format/vhd/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Bytes } from "../../mutations.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { vhdOriginal } from "../original.ts";

interface Area {
  readonly start: number;
  readonly end: number;
}

/** Of a fixed image, the disk; of others, footers that are there already, the table and the blocks. */
function areasOf(before: Bytes): Area[] {
  const view = new DataView(before.buffer);
  const end = before.length - 512;
  const cookie = (at: number): boolean => view.getBigUint64(at) === 0x636f6e6563746978n;
  const own = FOOTER.read(view, cookie(end) ? end : 0);
  const isCopied = own.type === DiskType.fixed && cookie(0);
  if (own.type === DiskType.fixed && !isCopied) return [{ start: 0, end }];
  const headers = [...new Set([own.data_offset, FOOTER.read(view, 0).data_offset])]
    .filter((at) => at <= BigInt(before.length - DYNAMIC_HEADER.sizeBytes));
  const tables = headers.flatMap((at) => {
    const { table_offset, max_table_entries: entries, block_size } = DYNAMIC_HEADER.read(
      view,
      Number(at),
    );
    const start = Number(table_offset);
    const all = Array.from({ length: Math.min(entries, 1000) }, (_, index) => start + 4 * index)
      .filter((position) => position + 4 <= before.length)
      .map((position) => 512 * view.getUint32(position));
    const bitmap = Math.ceil(block_size / 4096 / 512) * 512;
    const blocks = all.map((block) => ({ start: block, end: block + bitmap + block_size }));
    return [{ start, end: start + 4 * entries }, ...blocks];
  });
  return [{ start: 0, end: 512 }, ...tables, { start: before.length, end: Infinity }];
}

/** Whether a step changes what an image of such metadata may have changed. */
function isAllowed(step: Step, before: Bytes): boolean {
  const areas = areasOf(before);
  if (step.kind === "size") return step.sizeBytes >= 4096;
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const end = step.offset + length;
  const isIn = areas.some((area) => step.offset >= area.start && end <= area.end);
  // A footer that is put where nothing is any more.
  const isFooter = step.kind === "write" && length === 512 &&
    new TextDecoder().decode(step.bytes.subarray(0, 8)) === "conectix";
  const isFree = areas.every((area) => end <= area.start || step.offset >= area.end);
  return isIn || isFooter && isFree;
}

testHostileWrites({ format: "VHD", original: vhdOriginal(), isAllowed });
