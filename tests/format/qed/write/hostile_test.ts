import { HEADER } from "../../../../src/format/qed/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Bytes } from "../../mutations.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { qedOriginal } from "../original.ts";

/** Marks in the header, and whatever is no header: which of that are tables is for the crash test to tell. */
function isAllowed(step: Step, before: Bytes): boolean {
  const { header_size, cluster_size } = HEADER.read(new DataView(before.buffer), 0);
  const head = header_size * cluster_size;
  if (step.kind === "size") return step.sizeBytes >= head;
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const { features, autoclear_features } = HEADER.offsets;
  const isMark = step.kind === "write" && length === 8 &&
    (step.offset === features || step.offset === autoclear_features);
  return isMark || step.offset >= head;
}

testHostileWrites({ format: "QED", original: qedOriginal(), isAllowed });
