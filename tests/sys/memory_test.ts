// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { errorText } from "../../src/sys/errno.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { addressOf, cString, IoBuffer, setUint64, textOf, uint64 } from "../../src/sys/memory.ts";
import { POLLIN, POLLOUT, PollSet } from "../../src/sys/poll.ts";
import { pipe } from "../../src/sys/sockets.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("IoBuffer.address is where the bytes are, and stays so", () => {
  const buffers = Array.from({ length: 200 }, (_, n) => new IoBuffer(1 + n * 7));
  buffers.forEach(({ bytes }, n) => bytes.fill(n));
  // Makes the collector move what can be moved.
  const garbage = Array.from({ length: 100 }, () => new Uint8Array(100_000));
  assertEquals(garbage.length, 100);
  const target = new IoBuffer(2000);
  buffers.forEach(({ address, size }, n) => {
    libc().memcpy(target.address, address, size);
    assertEquals(target.bytes.subarray(0, size).every((byte) => byte === n), true, `${n}`);
  });
});

Deno.test("IoBuffer lies where it shall, with views of just its bytes", () => {
  for (const [alignmentBytes, start] of [[1, 0], [64, 0], [4096, 16], [65536, 544]] as const) {
    const buffer = new IoBuffer(1000, { alignmentBytes, start });
    assertEquals([buffer.address % alignmentBytes, buffer.size], [start, 1000]);
    assertEquals([addressOf(buffer.bytes), buffer.view.byteLength], [buffer.address, 1000]);
    buffer.view.setUint8(999, 7);
    assertEquals(buffer.bytes[999], 7);
  }
});

Deno.test("IoBuffer.releasePages() empties whole pages, and leaves other buffers alone", () => {
  const pages = IoBuffer.ofPages(100_000);
  assertEquals([pages.address % 65536, pages.size], [0, 131_072]);
  const messages = IoBuffer.ofMessages(100_000);
  assertEquals([messages.address % 4096, messages.size], [544, 131_072 - 544]);
  const part = new IoBuffer(100_000, { alignmentBytes: 65536, start: 0 });
  for (const { bytes } of [pages, messages, part]) bytes.fill(9);
  for (const buffer of [pages, messages, part]) buffer.releasePages();
  assertEquals(pages.bytes.every((byte) => byte === 0), true);
  assertEquals(messages.bytes.every((byte) => byte === 0), true);
  assertEquals(part.bytes.every((byte) => byte === 9), true);
});

Deno.test("addressOf() points at the first byte of a part of a buffer", () => {
  const whole = new IoBuffer(16);
  assertEquals(addressOf(whole.bytes.subarray(5)), whole.address + 5);
});

Deno.test("cString() and textOf() are each other's inverse", () => {
  for (const text of ["", "a", "zwölf \u{1f600}", "\ufeffa"]) {
    assertEquals(textOf(cString(text)), text);
  }
  assertEquals(textOf(Uint8Array.of(65, 66)), "AB");
  assertEquals(textOf(Uint8Array.of(65, 0, 66)), "A");
});

Deno.test("setUint64() and uint64() are what DataView does with a bigint", () => {
  const view = new DataView(new ArrayBuffer(16));
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 0x7fff_1234_5678, 2 ** 53 - 1]) {
    setUint64(view, 3, value);
    assertEquals(view.getBigUint64(3, true), BigInt(value));
    assertEquals(uint64(view, 3), value);
  }
});

Deno.test("errorText() says what strerror says", () => {
  assertEquals(errorText(2), "No such file or directory");
  assertEquals(errorText(28), "No space left on device");
  assertEquals(errorText(9999), "Unknown error 9999");
});

Deno.test("PollSet tells what happened to which descriptor, for any number of them", () => {
  const pipes = Array.from({ length: 100 }, pipe);
  const set = new PollSet();
  for (let round = 0; round < 2; round++) {
    set.clear();
    const places = pipes.map(([end]) => set.add(end.number, POLLIN));
    const nothing = set.add(PollSet.NOTHING, POLLIN);
    const writable = set.add(pipes[0]?.[1].number ?? -1, POLLOUT);
    const byte = new IoBuffer(1);
    libc().write(pipes[70]?.[1].number ?? -1, byte.address, 1);
    assertEquals(set.wait(1000), 2);
    assertEquals(places.filter((place) => set.events(place) !== 0), [70]);
    assertEquals([set.events(nothing), set.events(writable)], [0, POLLOUT]);
  }
  set.clear();
  set.add(pipes[0]?.[0].number ?? -1, POLLIN);
  assertEquals(set.wait(0), 0);
  for (const fd of pipes.flat()) fd.close();
});
