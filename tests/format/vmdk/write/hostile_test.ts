/**
 * Hostile VMDK images that are written to.
 *
 * @module
 */
import { HOSTED_HEADER } from "../../../../src/format/vmdk/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Bytes } from "../../mutations.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { vmdkOriginal } from "../original.ts";

/**
 * Whether a step changes what an image of such a header may have changed: never the header but for one
 * byte, nor directories; of the descriptor, eight digits.
 */
function isAllowed(step: Step, before: Bytes): boolean {
  if (step.kind === "size") return step.sizeBytes >= before.length;
  const { descriptor_offset, directory, redundant_directory, flags } = HOSTED_HEADER.read(
    new DataView(before.buffer),
    0,
  );
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const touches = (start: number, bytes: number): boolean =>
    step.offset < start + bytes && start < step.offset + length;
  if (touches(0, 512)) return step.offset === HOSTED_HEADER.offsets.unclean && length === 1;
  if (touches(Number(descriptor_offset) * 512, 512)) return length === 8;
  if (touches(Number(directory) * 512, 4)) return false;
  return (flags & 2) === 0 || !touches(Number(redundant_directory) * 512, 4);
}

testHostileWrites({ format: "VMDK", original: vmdkOriginal(), isAllowed });
