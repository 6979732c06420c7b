// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { machineCode } from "../../src/sys/machine_code.ts";

const CALL = { number: 91, args: [0x1234, 0x5678_9abc_def0] };

// What llvm-mc makes of the instructions.
const EXPECTED = {
  x86_64: `
    48bf 3412000000000000    48be f0debc9a78560000    48ba 0000000000000000
    49ba 0000000000000000    49b8 0000000000000000    48b8 5b00000000000000
    0f05 c3`,
  aarch64: `
    804682d2 0000a0f2 0000c0f2 0000e0f2
    01de9bd2 8157b3f2 01cfcaf2 0100e0f2
    020080d2 0200a0f2 0200c0f2 0200e0f2
    030080d2 0300a0f2 0300c0f2 0300e0f2
    040080d2 0400a0f2 0400c0f2 0400e0f2
    680b80d2 0800a0f2 0800c0f2 0800e0f2
    010000d4 c0035fd6`,
} as const;

for (const [arch, expected] of Object.entries(EXPECTED)) {
  Deno.test(`machineCode() loads number and arguments, makes the call, and returns: ${arch}`, () => {
    const code = machineCode([CALL], arch as keyof typeof EXPECTED);
    assertEquals(code.toHex(), expected.replace(/\s/g, ""));
  });
}

Deno.test("machineCode() makes one call after the other, and returns once", () => {
  const one = machineCode([CALL], "x86_64").toHex();
  const two = machineCode([CALL, CALL], "x86_64").toHex();
  assertEquals(two, one.slice(0, -2) + one);
});
