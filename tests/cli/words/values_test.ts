// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import {
  checkSectorSize,
  findFormat,
  parseFormat,
  parseThreads,
  parseTransport,
} from "../../../src/cli/words/values.ts";
import { FORMATS } from "./formats.ts";

Deno.test("findFormat() knows formats in any case, and auto", () => {
  assertEquals(findFormat("qcow2", FORMATS), "QCOW");
  assertEquals(findFormat("Auto", FORMATS), "auto");
  assertEquals(findFormat("vdi", FORMATS), undefined);
});

Deno.test("parseFormat() lists the known formats where one is unknown", () => {
  assertThrows(
    () => parseFormat("XYZ", FORMATS),
    UsageError,
    "unknown file format type 'XYZ'; known: RAW, QCOW (or 'auto' to detect it)",
  );
});

Deno.test("parseTransport() knows the transports there are", () => {
  assertEquals(parseTransport("nbd"), "nbd");
  assertEquals(parseTransport("loop"), "loop");
  assertThrows(
    () => parseTransport("NBD"),
    UsageError,
    "unknown transport 'NBD'; known: auto, loop, view, nbd, fuse, socket",
  );
});

Deno.test("checkSectorSize() takes powers of two from 512 to 4096", () => {
  const accepted = Array.from({ length: 9000 }, (_, sizeBytes) => sizeBytes).filter(isAccepted);
  assertEquals(accepted, [512, 1024, 2048, 4096]);
});

function isAccepted(sizeBytes: number): boolean {
  try {
    return checkSectorSize(sizeBytes) === sizeBytes;
  } catch {
    return false;
  }
}

Deno.test("parseThreads() takes numbers from 1 to 16", () => {
  assertEquals([parseThreads("1"), parseThreads("16"), parseThreads("08")], [1, 16, 8]);
  for (const text of ["0", "17", "", "-1", "1.5", "2x", "1e1"]) {
    assertThrows(() => parseThreads(text), UsageError, `invalid number of threads: '${text}'`);
  }
});
