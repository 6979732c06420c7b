/**
 * Changes that take long, beside other clients: what the loop must not do is make them in one go.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { SectorCipher } from "../../src/crypt/sector_cipher.ts";
import type { Placement } from "../../src/image/writing.ts";
import { Command, CommandFlag, NbdError } from "../../src/nbd/protocol.ts";
import { EIO, ENOSPC, SystemError } from "../../src/sys/errno.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { libc } from "../../src/sys/libc.ts";
import { sameBytes } from "../format/opened_image.ts";
import { type FakeImage, seededBytes, ServedImage } from "../nbd/served_image.ts";
import type { RequestFields } from "../nbd/wire.ts";
import { withDescriptor } from "../support/faulty_calls.ts";

const { Read, Write, WriteZeroes, Trim } = Command;
const MIB = 1024 * 1024;

interface WriteFields extends Omit<RequestFields, "magic" | "length" | "offset"> {
  readonly offset: number;
}

/** Has every write that the loop itself makes take long; how many there were. */
function slowDown({ file }: FakeImage, ms = 50): { writes: number } {
  const seen = { writes: 0 };
  const write = file.write.bind(file);
  file.write = (...range) => {
    seen.writes++;
    libc().usleep(ms * 1000);
    write(...range);
  };
  return seen;
}

/** Has every call of fallocate(2) take `ms`; how many there were. */
function slowAllocation(image: FakeImage, ms: number): { calls: number } {
  const seen = { calls: 0 };
  image.file.allocate = () => {
    seen.calls++;
    libc().usleep(ms * 1000);
    return true;
  };
  return seen;
}

/** Requests that fill the disk from its start on. */
function writes(count: number, length: number, flags = 0): Required<WriteFields>[] {
  return Array.from({ length: count }, (_, n) => ({
    command: Write,
    cookie: BigInt(n),
    offset: n * length,
    payload: seededBytes(length, n),
    flags,
  }));
}

Deno.test("Changes.make() leaves writes to slow files to other threads, and all of them arrive", () => {
  using served = new ServedImage({ sizeBytes: 4 * MIB });
  const own = slowDown(served.image);
  const { client } = served.connect();
  // Fewer than the quick ones in a row after which the loop tries again.
  const asked = writes(60, 4096);
  client.ask(...asked);
  served.settle();
  assertLess(own.writes, 4);
  for (const { cookie, offset, payload } of asked) {
    assertEquals(client.take(cookie).error, 0);
    served.image.model.set(payload, offset);
  }
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Changes.make() leaves to no other thread what has to be encrypted, however slow the file", () => {
  using served = new ServedImage();
  const { image } = served;
  const spec = { mode: "xts", iv: "plain64", ivHash: "", keyBytes: 32 } as const;
  const key = seededBytes(spec.keyBytes, 9);
  using cipher = new SectorCipher(spec, key);
  Object.assign(image.writing ?? {}, {
    writers: "one",
    place: (offset: number, lengthBytes: number, placement: Placement): void => {
      placement.setDirect(image.file, offset, lengthBytes);
      placement.cipher = cipher;
      placement.firstSector = offset / 512;
    },
  });
  const own = slowDown(image);
  const { client } = served.connect();
  const asked = writes(5, 4096);
  client.ask(...asked);
  served.settle();
  assertEquals(own.writes, asked.length);
  for (const { offset, payload } of asked) {
    cipher.encrypt(payload, offset / 512);
    image.model.set(payload, offset);
  }
  assert(sameBytes(image.contents(), image.model));
});

Deno.test("Changes.make() leaves decompressing to another thread only if others wait meanwhile", () => {
  using served = new ServedImage();
  const { image } = served;
  const deferrable: boolean[] = [];
  Object.assign(image.writing ?? {}, {
    writers: "one",
    place: (offset: number, lengthBytes: number, placement: Placement): void => {
      deferrable.push(placement.attempt.mayDefer);
      placement.setDirect(image.file, offset, lengthBytes);
    },
  });
  const { client } = served.connect();
  client.ask(...writes(1, 4096));
  served.settle();
  client.ask(...writes(3, 4096));
  served.settle();
  assertEquals(deferrable, [false, true, true, false]);
});

Deno.test("Changes.make() answers a FUA write to slow files when it is durable", () => {
  using served = new ServedImage();
  slowDown(served.image);
  const { client } = served.connect();
  client.ask(...writes(3, 4096, CommandFlag.Fua));
  served.settle();
  assertEquals([0n, 1n, 2n].map((cookie) => client.take(cookie).error), [0, 0, 0]);
});

Deno.test("Changes.make() bounds the memory of slow writes, and takes all of them in the end", () => {
  using served = new ServedImage({ sizeBytes: 64 * MIB });
  slowDown(served.image);
  const { client } = served.connect();
  const asked = writes(48, MIB + 4096);
  client.ask(...asked);
  served.settle();
  for (const { cookie, offset, payload } of asked) {
    assertEquals(client.take(cookie).error, 0);
    served.image.model.set(payload, offset);
  }
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Changes.make() tells why another thread could not write", () => {
  using served = new ServedImage();
  slowDown(served.image);
  const { client } = served.connect();
  client.ask(...writes(1, 4096));
  served.settle();
  // A descriptor that is only read from cannot be written to.
  using readOnly = openFile(served.image.file.path, O_RDONLY);
  const { file } = served.image;
  const broken = withDescriptor(file, readOnly.number);
  if (served.image.writing !== undefined) {
    served.image.writing.place = (offset, lengthBytes, placement) =>
      placement.setDirect(broken, offset, lengthBytes);
  }
  client.ask({ command: Write, cookie: 100n, payload: new Uint8Array(512) });
  served.settle();
  assertEquals(client.take(100n).error, NbdError.Io);
  assertEquals(served.logged.length, 1);
  assertStringIncludes(served.logged[0] ?? "", "write of 512 bytes at 0 failed: ");
  assertStringIncludes(served.logged[0] ?? "", "Bad file descriptor");
});

for (const command of [WriteZeroes, Trim]) {
  Deno.test(`Changes.make() lets others read between pieces of a long change (${command})`, () => {
    using served = new ServedImage({ sizeBytes: 64 * MIB });
    const seen = slowAllocation(served.image, 3);
    const long = served.connect();
    const other = served.connect();
    long.client.ask({ command, cookie: 1n, length: 64 * MIB });
    while (seen.calls === 0) served.turn();
    other.client.ask({ command: Read, cookie: 2n, length: 512 });
    while (other.client.replies.length === 0) served.turn();
    assertEquals(long.client.replies, []);
    assertLess(seen.calls, 12);
    served.settle();
    assertEquals(long.client.take(1n).error, 0);
  });
}

Deno.test("Changes.goOn() drops what a client has asked for that has gone", () => {
  using served = new ServedImage({ sizeBytes: 64 * MIB });
  const seen = slowAllocation(served.image, 3);
  const { client, connection } = served.connect();
  for (let cookie = 0n; cookie < 50n; cookie++) {
    client.ask({ command: WriteZeroes, cookie, length: 64 * MIB });
  }
  while (seen.calls < 5) served.turn();
  connection.broken = true;
  served.settle();
  assertLess(seen.calls, 20);
});

Deno.test("Changes.goOn() gives every client its turn", () => {
  using served = new ServedImage({ sizeBytes: 64 * MIB });
  slowAllocation(served.image, 3);
  const greedy = served.connect();
  const modest = served.connect();
  for (let cookie = 0n; cookie < 20n; cookie++) {
    greedy.client.ask({ command: WriteZeroes, cookie, length: 64 * MIB });
  }
  while (greedy.connection.waiting < 20) served.turn();
  modest.client.ask({ command: WriteZeroes, cookie: 1n, length: 4 * MIB });
  while (modest.client.replies.length === 0) served.turn();
  assertLess(greedy.client.replies.length, 3);
  greedy.connection.broken = true;
  served.settle();
});

Deno.test("Changes.make() writes zeros to slow files by other threads, too", () => {
  using served = new ServedImage({ sizeBytes: 8 * MIB });
  served.image.canAllocate = false;
  const own = slowDown(served.image);
  const { client } = served.connect();
  client.ask({ command: WriteZeroes, cookie: 1n, offset: 1000, length: 6 * MIB });
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assertLess(own.writes, 3);
  served.image.model.fill(0, 1000, 1000 + 6 * MIB);
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Changes.goOn() answers a long change that fails on its way", () => {
  using served = new ServedImage({ sizeBytes: 64 * MIB });
  const { client } = served.connect();
  let calls = 0;
  for (const [errno, expected] of [[ENOSPC, NbdError.NoSpc], [EIO, NbdError.Io]] as const) {
    calls = 0;
    served.image.file.allocate = () => {
      libc().usleep(3000);
      if (++calls > 4) throw new SystemError("fallocate", errno, "/image");
      return true;
    };
    client.ask({ command: WriteZeroes, cookie: 1n, length: 64 * MIB });
    served.settle();
    assertEquals(client.take(1n).error, expected);
  }
});
