// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cpuSecondsIn, residentBytesIn, usageOf } from "./process_usage.ts";

Deno.test("cpuSecondsIn() adds user and system time, whatever the command is called", () => {
  const numbers = "S 1 77 77 0 -1 4194560 1055 0 3 0 250 50 0 0 20 0 4 0 9001 1000 200";
  assertEquals(cpuSecondsIn(`77 (qemu-nbd) ${numbers}\n`), 3);
  assertEquals(cpuSecondsIn(`77 (a (b) c) ${numbers}\n`), 3);
});

Deno.test("residentBytesIn() reads VmRSS", () => {
  const status = "Name:\tqemu-nbd\nVmHWM:\t   99999 kB\nVmRSS:\t   12000 kB\nThreads:\t4\n";
  assertEquals(residentBytesIn(status), 12_288_000);
  assertEquals(residentBytesIn("Name:\tkthreadd\n"), NaN);
});

Deno.test("usageOf() sees this process", () => {
  const { cpuSeconds, residentBytes } = usageOf(Deno.pid);
  assert(cpuSeconds > 0 && cpuSeconds < 1e6);
  assert(residentBytes > 1e6);
});
