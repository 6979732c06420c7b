/**
 * Hostile images that are written to: nothing is written but where the image's own tables allow it, and
 * nothing else goes wrong than that an image is refused.
 *
 * @module
 */
import { HEADER } from "../../../../src/format/vdi/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Bytes } from "../../mutations.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { vdiOriginal } from "../original.ts";

/** Whether a step changes what an image of such a header may have changed. */
function isAllowed(step: Step, before: Bytes): boolean {
  const view = new DataView(before.buffer);
  const { offset_blocks, offset_data, blocks } = HEADER.read(view, 0);
  if (step.kind === "size") return step.sizeBytes >= offset_data;
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const isIn = (start: number, bytes: number): boolean =>
    step.offset >= start && step.offset + length <= start + bytes;
  return isIn(offset_data, Infinity) ||
    step.kind === "write" &&
      (isIn(offset_blocks, 4 * blocks) || isIn(HEADER.offsets.blocks_allocated, 4) ||
        isIn(HEADER.offsets.uuid_modified, 16));
}

testHostileWrites({ format: "VDI", original: vdiOriginal(), isAllowed });
