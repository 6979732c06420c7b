// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { receiveDescriptors, sendDescriptors } from "../../src/sys/descriptor_passing.ts";
import { EPIPE, SystemError } from "../../src/sys/errno.ts";
import { Fd, readText, writeText } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { pipe, streamPair } from "../../src/sys/sockets.ts";
import { must, oracleTest } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const F_GETFD = 1;
const FD_CLOEXEC = 1;

for (const count of [1, 2, 253]) {
  Deno.test(`receiveDescriptors() has the ${count} that were sent, in order`, () => {
    const [from, to] = streamPair();
    const [end, start] = pipe();
    const [otherEnd, otherStart] = pipe();
    const ends = Array.from({ length: count }, (_, n) => n === count - 1 ? otherEnd : end);
    sendDescriptors(from.number, ends.map(({ number }) => number));
    writeText(from.number, "what follows");
    from.close();
    const received = receiveDescriptors(to.number).map((number) => new Fd(number));
    assertEquals(received.length, count);
    assertEquals(readText(to.number), "what follows");
    writeText(start.number, "first");
    writeText(otherStart.number, "last");
    start.close();
    otherStart.close();
    assertEquals(readText(received.at(-1)?.number ?? -1), "last");
    if (count > 1) assertEquals(readText(received[0]?.number ?? -1), "first");
    for (const { number } of received) {
      assertEquals(libc().fcntl(number, F_GETFD, 0), FD_CLOEXEC);
    }
    for (const fd of [to, end, otherEnd, ...received]) fd.close();
  });
}

Deno.test("receiveDescriptors() has none where none were sent", () => {
  const [from, to] = streamPair();
  writeText(from.number, "x");
  assertEquals(receiveDescriptors(to.number), []);
  from.close();
  assertEquals(receiveDescriptors(to.number), []);
  to.close();
});

Deno.test("receiveDescriptors() takes nothing from what is no socket", () => {
  const [end, start] = pipe();
  writeText(start.number, "text");
  start.close();
  assertEquals(receiveDescriptors(end.number), []);
  assertEquals(readText(end.number), "text");
  end.close();
});

oracleTest("receiveDescriptors() says when it has not got them all", ["prlimit"], async () => {
  const limit = (soft: string): Promise<string> =>
    must("prlimit", `--pid=${Deno.pid}`, `--nofile=${soft}:`);
  const [, before = ""] = /^Max open files +(\d+)/m.exec(
    Deno.readTextFileSync("/proc/self/limits"),
  ) ?? [];
  const [from, to] = streamPair();
  sendDescriptors(from.number, Array<number>(200).fill(to.number));
  await limit(String(to.number + 100));
  try {
    assertThrows(() => receiveDescriptors(to.number), RangeError, "too many files are open");
  } finally {
    await limit(before);
  }
  from.close();
  to.close();
});

Deno.test("sendDescriptors() throws what the system says", () => {
  const [from, to] = streamPair();
  assertThrows(() => sendDescriptors(from.number, [9999]), SystemError, "Bad file descriptor");
  assertThrows(() => sendDescriptors(from.number, Array(254).fill(0)), RangeError, "253");
  to.close();
  const error = assertThrows(() => sendDescriptors(from.number, [from.number]), SystemError);
  assertEquals(error.errno, EPIPE);
  from.close();
});
