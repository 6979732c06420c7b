// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { EADDRINUSE, SystemError } from "../../src/sys/errno.ts";
import { Fd } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import {
  acceptClient,
  datagramTo,
  duplicate,
  isListening,
  listenUnix,
  MSG_DONTWAIT,
  pipe,
  SOCKET_PATH_MAX,
  streamPair,
} from "../../src/sys/sockets.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("listenUnix() makes a socket that only its owner may use", () => {
  using folder = new TempDirectory();
  const path = folder.file("socket");
  using listener = listenUnix(path);
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  assert(isListening(path));
  assert(acceptClient(listener.number) >= 0);
  assertEquals(acceptClient(listener.number), -1);
});

Deno.test("listenUnix() leaves the umask as it was", () => {
  using folder = new TempDirectory();
  const before = Deno.umask();
  listenUnix(folder.file("socket")).close();
  assertThrows(() => listenUnix(folder.file("missing/socket")), SystemError);
  assertEquals(Deno.umask(), before);
});

Deno.test("listenUnix() refuses paths that are taken or too long", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  Deno.writeTextFileSync(path, "");
  const error = assertThrows(() => listenUnix(path), SystemError);
  assertEquals([error.errno, error.path], [EADDRINUSE, path]);
  const tooLong = folder.path + "/" + "x".repeat(SOCKET_PATH_MAX - folder.path.length);
  assertEquals(tooLong.length, SOCKET_PATH_MAX + 1);
  assertThrows(() => listenUnix(tooLong), RangeError, "107 bytes");
  const longest = tooLong.slice(0, -1);
  listenUnix(longest).close();
  assert(Deno.statSync(longest).isSocket);
  // Bytes count, not characters.
  assertThrows(() => listenUnix(`/${"ä".repeat(54)}`), RangeError);
});

Deno.test("isListening() says no only of sockets that nobody serves any more", () => {
  using folder = new TempDirectory();
  const path = folder.file("socket");
  listenUnix(path).close();
  assertFalse(isListening(path));
  using _listener = listenUnix(folder.file("full"));
  // More clients than the queue holds: the last ones are told to try again.
  for (let n = 0; n < 200; n++) assert(isListening(folder.file("full")), `${n}`);
});

Deno.test("datagramTo() finds nobody where nobody listens", () => {
  using folder = new TempDirectory();
  assertEquals(datagramTo(folder.file("missing")), undefined);
  using _listener = listenUnix(folder.file("stream"));
  assertEquals(datagramTo(folder.file("stream")), undefined);
});

Deno.test("streamPair(), pipe() and duplicate() carry bytes", () => {
  const buffer = new IoBuffer(8);
  buffer.bytes.set([1, 2, 3]);
  const [one, other] = streamPair();
  using copy = duplicate(one.number);
  one.close();
  assertEquals(libc().send(copy.number, buffer.address, 3, 0), 3);
  const target = new IoBuffer(8);
  assertEquals(libc().recv(other.number, target.address, 8, MSG_DONTWAIT), 3);
  assertEquals(target.bytes.slice(0, 3), Uint8Array.of(1, 2, 3));
  other.close();
  const [end, start] = pipe();
  assertEquals(libc().write(start.number, buffer.address, 2), 2);
  assertEquals(libc().read(end.number, target.address, 8), 2);
  for (const fd of [end, start]) fd.close();
  assertThrows(() => duplicate(new Fd(-1).number), SystemError);
});
