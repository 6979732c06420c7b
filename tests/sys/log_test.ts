// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Log, RateLimit } from "../../src/sys/log.ts";
import { logTest } from "../support/log_socket.ts";

Deno.test("RateLimit.admit() lets ten messages pass in ten seconds", () => {
  const limit = new RateLimit();
  const at = (nowMs: number, count: number): number[] =>
    Array.from({ length: count }, () => limit.admit(nowMs));
  assertEquals(at(1000, 12), [...Array(10).fill(0), -1, -1]);
  assertEquals(at(10_999, 1), [-1]);
  assertEquals(at(11_000, 3), [3, 0, 0]);
});

Deno.test("RateLimit.admit() begins a new interval with the first message after the last", () => {
  const limit = new RateLimit();
  assertEquals(limit.admit(0), 0);
  for (let n = 0; n < 9; n++) assertEquals(limit.admit(9999), 0);
  assertEquals(limit.admit(9999), -1);
  assertEquals(limit.admit(60_000), 1);
});

logTest("Log.error() writes one line about its subject, whatever is in it", [], (log) => {
  const subject = `/images/${crypto.randomUUID()}`;
  new Log(`${subject}\nroot: all is well`).error("read failed:\nno\nidea");
  const lines = log.lines().filter((line) => line.includes(subject));
  assertEquals(lines, [
    `<27>tslosetup[${Deno.pid}]: ${subject}\\x0aroot: all is well: read failed:\\x0ano\\x0aidea`,
  ]);
});

logTest("Log.error() holds a flood back", [], (log) => {
  const subject = `/images/${crypto.randomUUID()}`;
  const it = new Log(subject);
  for (let n = 0; n < 10_000; n++) it.error(`error ${n}`);
  const lines = log.lines().filter((line) => line.includes(subject));
  assertEquals(lines.length, 10);
});

logTest("Log.error() never waits for a log service that does not read", [], () => {
  // A datagram socket's queue is full after some ten lines; who waited then would wait for ever.
  for (let n = 0; n < 5; n++) {
    const it = new Log(`/images/${n}`);
    for (let line = 0; line < 10; line++) it.error(`error ${line}`);
  }
});

Deno.test("Log.error() does without a log service", () => {
  new Log("/images/test").error("a test, of no importance");
});
