import { HEADER_BYTES, HEADER_OFFSETS } from "../../../../src/format/vhdx/layout.ts";
import { testHostileWrites } from "../../hostile_writes.ts";
import type { Step } from "../../qcow/write/recording.ts";
import { BAT, LOG, MIB } from "../image_builder.ts";
import { writableOriginal } from "../original.ts";

/** The headers; the BAT, the log, and what lies behind them. */
function isAllowed(step: Step): boolean {
  if (step.kind === "size") return step.sizeBytes >= LOG + MIB;
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const isHeader = HEADER_OFFSETS.includes(step.offset) && length === HEADER_BYTES;
  return step.kind === "write" && isHeader || step.offset >= BAT;
}

testHostileWrites({ format: "VHDX", original: writableOriginal(), share: 0.2, isAllowed });
