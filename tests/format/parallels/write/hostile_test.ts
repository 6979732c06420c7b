import { HEADER } from "../../../../src/format/parallels/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Bytes } from "../../mutations.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { parallelsOriginal } from "../original.ts";

/** The BAT and what is behind it, and the fields of the header that change. */
function isAllowed(step: Step, before: Bytes): boolean {
  const { bat_entries } = HEADER.read(new DataView(before.buffer), 0);
  const batEnd = HEADER.sizeBytes + 4 * bat_entries;
  if (step.kind === "size") return step.sizeBytes >= batEnd;
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const { inuse, flags } = HEADER.offsets;
  const isField = step.kind === "write" && length === 4 &&
    (step.offset === inuse || step.offset === flags);
  const isBat = step.kind === "write" && step.offset >= HEADER.sizeBytes &&
    step.offset + length <= batEnd;
  return isField || isBat || step.offset >= batEnd;
}

for (const original of parallelsOriginal().slice(0, 2)) {
  testHostileWrites({ format: "PARALLELS", original, isAllowed });
}
