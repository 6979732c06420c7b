// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertLess, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { ImageFormatError } from "../../src/image/errors.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import {
  Command,
  CommandFlag,
  MAX_PAYLOAD_BYTES,
  NbdError,
  SIMPLE_REPLY_MAGIC,
} from "../../src/nbd/protocol.ts";
import { EFBIG, EIO, ENOSPC, EPERM, SystemError } from "../../src/sys/errno.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { sameBytes } from "../format/opened_image.ts";
import { dropFromCache } from "../support/page_cache.ts";
import { block, FakeImage, seededBytes, ServedImage } from "./served_image.ts";
import { joined } from "../../src/sys/joined.ts";
import { encodeRequest, type RequestFields } from "./wire.ts";

// linux/falloc.h
const [KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE] = [0x01, 0x02, 0x10];
const { Read, Write, Flush, Trim, WriteZeroes, Disconnect } = Command;
const MIB = 1024 * 1024;

/** Error number that one request gets. */
function answerTo(served: ServedImage, fields: Omit<RequestFields, "cookie">): number {
  const { client } = served.connect();
  client.ask({ cookie: 1n, ...fields });
  served.settle();
  return client.take(1n).error;
}

Deno.test("Transmission.serve() answers reads with the cookie as it came", () => {
  using served = new ServedImage();
  const { client } = served.connect();
  const cookie = 0xfedc_ba98_7654_3210n;
  client.ask({ command: Read, cookie, offset: 4097, length: 5000 });
  served.settle();
  const reply = client.take(cookie);
  assertEquals([reply.magic, reply.error], [SIMPLE_REPLY_MAGIC, 0]);
  assert(sameBytes(reply.data, served.image.model.subarray(4097, 9097)));
  assertEquals(client.unparsed.length, 0);
});

Deno.test("Transmission.serve() writes what it is given, and reads see it", () => {
  using served = new ServedImage();
  const { client } = served.connect();
  const payload = seededBytes(10_000, 1);
  client.ask(
    { command: Write, cookie: 1n, offset: 777, payload },
    { command: Read, cookie: 2n, offset: 777, length: payload.length },
  );
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assert(sameBytes(client.take(2n).data, payload));
  served.image.model.set(payload, 777);
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Transmission.serve() serves reads and writes of 32 MiB", () => {
  using served = new ServedImage({ sizeBytes: MAX_PAYLOAD_BYTES + 512 });
  const { client, connection } = served.connect();
  const payload = seededBytes(MAX_PAYLOAD_BYTES, 2);
  client.ask(
    { command: Write, cookie: 1n, offset: 512, payload },
    { command: Read, cookie: 2n, offset: 512, length: MAX_PAYLOAD_BYTES },
    { command: Read, cookie: 3n, length: 512 },
  );
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assert(sameBytes(client.take(2n).data, payload));
  assert(sameBytes(client.take(3n).data, served.image.model.subarray(0, 512)));
  // The long messages' buffers are not kept.
  assertLess(connection.input.buffer.size + connection.output.buffer.size, 9 * MIB);
});

Deno.test("Transmission.serve() takes requests whose bytes come in any two pieces", () => {
  using served = new ServedImage({ sizeBytes: 64 * 1024 });
  const { client } = served.connect();
  const length = segment(0n).bytes.length;
  for (let split = 0; split <= length; split++) {
    const { requests, bytes } = segment(BigInt(split * 16));
    for (const fields of requests) client.expect(fields);
    client.queue(bytes.subarray(0, split));
    served.settle();
    client.queue(bytes.subarray(split));
    served.settle();
    assertEquals(client.replies.length, requests.length, `split at ${split}`);
    assertEquals(client.replies.map(({ error }) => error), [0, 0, 0, NbdError.Inval, 0]);
    assertEquals(client.replies[0]?.data, served.image.model.slice(100, 103));
    assertEquals(client.replies[2]?.data, Uint8Array.of(1, 2, 3));
    client.replies.length = 0;
  }
});

/** Five requests in one piece, with cookies from `cookie` on. */
function segment(cookie: bigint): { requests: RequestFields[]; bytes: Uint8Array } {
  const requests = [
    { command: Read, cookie, offset: 100, length: 3 },
    { command: Write, cookie: cookie + 1n, offset: 200, payload: Uint8Array.of(1, 2, 3) },
    { command: Read, cookie: cookie + 2n, offset: 200, length: 3 },
    { command: 99, cookie: cookie + 3n },
    { command: Read, cookie: cookie + 4n, offset: 0, length: 0 },
  ];
  return { requests, bytes: joined(requests.map(encodeRequest)) };
}

Deno.test("Transmission.serve() answers hundreds of requests of one segment in order", () => {
  using served = new ServedImage();
  const { client } = served.connect();
  const requests = Array.from(
    { length: 2000 },
    (_, n) => ({ command: Read, cookie: BigInt(n), offset: n * 500, length: 1 + n % 64 }),
  );
  client.ask(...requests);
  served.settle();
  assertEquals(client.replies.map(({ cookie }) => cookie), requests.map(({ cookie }) => cookie));
  requests.forEach(({ offset, length }, n) =>
    assertEquals(client.replies[n]?.data, served.image.model.slice(offset, offset + length))
  );
});

Deno.test("Transmission.serve() gives up on a client whose requests it cannot understand", () => {
  using served = new ServedImage();
  const wrongMagic = served.connect();
  wrongMagic.client.ask({ command: Read, cookie: 1n, length: 512, magic: 0x25609514 });
  const tooLong = served.connect();
  tooLong.client.ask({ command: Write, cookie: 1n, length: MAX_PAYLOAD_BYTES + 1 });
  const fine = served.connect();
  fine.client.ask({ command: Read, cookie: 1n, length: 512 });
  served.settle();
  assert(wrongMagic.connection.broken);
  assert(tooLong.connection.broken);
  assertEquals([wrongMagic.client.replies, tooLong.client.replies], [[], []]);
  assertEquals(fine.client.take(1n).error, 0);
});

Deno.test("Transmission.serve() keeps the order of what came before a senseless request", () => {
  using served = new ServedImage();
  const { client, connection } = served.connect();
  client.ask({ command: Read, cookie: 1n, length: 16 });
  client.queue(seededBytes(28, 3));
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assert(connection.broken);
});

Deno.test("Transmission.serve() refuses what lies outside the disk, however large the numbers", () => {
  const sizeBytes = 10_000;
  using served = new ServedImage({ sizeBytes });
  const outside: { offset: bigint | number; length: number }[] = [
    { offset: sizeBytes, length: 1 },
    { offset: sizeBytes - 1, length: 2 },
    { offset: 0, length: sizeBytes + 1 },
    { offset: 2n ** 64n - 1n, length: 1 },
    { offset: 2n ** 64n - 512n, length: 512 },
    { offset: 2n ** 63n, length: 0 },
    { offset: 2n ** 53n, length: 4096 },
    { offset: 2n ** 32n, length: 4096 },
  ];
  for (const range of outside) {
    const text = `${range.offset}+${range.length}`;
    const payload = new Uint8Array(range.length);
    assertEquals(answerTo(served, { command: Read, ...range }), NbdError.Inval, text);
    assertEquals(answerTo(served, { command: Write, ...range, payload }), NbdError.NoSpc, text);
    assertEquals(answerTo(served, { command: Trim, ...range }), NbdError.Inval, text);
    assertEquals(answerTo(served, { command: WriteZeroes, ...range }), NbdError.NoSpc, text);
  }
  const longRead = { command: Read, length: MAX_PAYLOAD_BYTES + 1 };
  assertEquals(answerTo(served, longRead), NbdError.Inval);
  assertEquals(answerTo(served, { command: Read, length: 0xffffffff }), NbdError.Inval);
  assertEquals(served.image.calls, []);
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Transmission.serve() serves the last byte of the disk", () => {
  using served = new ServedImage({ sizeBytes: 10_001 });
  const last = { offset: 10_000, length: 1 };
  assertEquals(answerTo(served, { command: Read, ...last }), 0);
  assertEquals(answerTo(served, { command: Trim, ...last }), 0);
  assertEquals(answerTo(served, { command: Write, ...last, payload: Uint8Array.of(9) }), 0);
  assertEquals(served.image.contents()[10_000], 9);
});

Deno.test("Transmission.serve() refuses unknown commands and flags, and goes on", () => {
  using served = new ServedImage();
  const { client } = served.connect();
  let cookie = 0n;
  const unknown: Omit<RequestFields, "cookie">[] = [
    ...[5, 7, 8, 100, 0xffff].map((command) => ({ command })),
    ...[2, 4, 8, 16, 0x8000].map((flags) => ({ command: Read, length: 512, flags })),
    ...[2, 16].map((flags) => ({ command: Write, payload: new Uint8Array(512), flags })),
    ...[2, 4].map((flags) => ({ command: Trim, length: 512, flags })),
    ...[4, 8].map((flags) => ({ command: WriteZeroes, length: 512, flags })),
    ...[2, 32].map((flags) => ({ command: Flush, flags })),
  ];
  for (const fields of unknown) client.ask({ ...fields, cookie: cookie++ });
  client.ask({ command: Read, cookie: 1000n, length: 512, flags: CommandFlag.Fua });
  served.settle();
  assertEquals(client.take(1000n).error, 0);
  assertEquals(client.replies.map(({ error }) => error), unknown.map(() => NbdError.Inval));
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Transmission.serve() changes nothing on a read-only disk", () => {
  using served = new ServedImage({ readOnly: true });
  const payload = new Uint8Array(512);
  assertEquals(answerTo(served, { command: Write, payload }), NbdError.Perm);
  assertEquals(answerTo(served, { command: Trim, length: 512 }), NbdError.Perm);
  assertEquals(answerTo(served, { command: WriteZeroes, length: 512 }), NbdError.Perm);
  assertEquals(answerTo(served, { command: Flush }), 0);
  assertEquals(answerTo(served, { command: Read, length: 512 }), 0);
  assertEquals(served.image.calls, []);
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Transmission.serve() hands trims and zeroes to the file system", () => {
  using served = new ServedImage();
  const range = { offset: 4096, length: 8192 };
  assertEquals(answerTo(served, { command: Trim, ...range }), 0);
  assertEquals(answerTo(served, { command: WriteZeroes, ...range }), 0);
  const flags = CommandFlag.NoHole;
  assertEquals(answerTo(served, { command: WriteZeroes, ...range, flags }), 0);
  assertEquals(served.image.calls, [
    `${PUNCH_HOLE | KEEP_SIZE} 4096 8192`,
    `${PUNCH_HOLE | KEEP_SIZE} 4096 8192`,
    `${ZERO_RANGE | KEEP_SIZE} 4096 8192`,
  ]);
});

Deno.test("Transmission.serve() writes zeroes itself where the file system cannot, unless only fast ones are wanted", () => {
  using served = new ServedImage({ sizeBytes: 3 * MIB });
  served.image.canAllocate = false;
  const range = { offset: 1000, length: 2 * MIB };
  const flags = CommandFlag.FastZero;
  assertEquals(answerTo(served, { command: WriteZeroes, ...range, flags }), NbdError.NotSup);
  assert(sameBytes(served.image.contents(), served.image.model));
  assertEquals(answerTo(served, { command: WriteZeroes, ...range }), 0);
  served.image.model.fill(0, 1000, 1000 + 2 * MIB);
  assert(sameBytes(served.image.contents(), served.image.model));
});

Deno.test("Transmission.serve() names the errors clients can act on, and logs all of them", () => {
  using served = new ServedImage();
  const failWith = (error: Error) =>
    served.image.obstacle = () => {
      throw error;
    };
  const expected: readonly [Error, number][] = [
    [new SystemError("write", ENOSPC, "/image"), NbdError.NoSpc],
    [new SystemError("write", EFBIG, "/image"), NbdError.NoSpc],
    [new SystemError("write", EPERM, "/image"), NbdError.Perm],
    [new SystemError("read", EIO, "/image"), NbdError.Io],
    [new SystemError("read", 116, "/image"), NbdError.Io],
    [new ImageFormatError("QCOW", "/image", "the L2 table is damaged"), NbdError.Io],
    [new TypeError("a bug"), NbdError.Io],
  ];
  for (const [error, number] of expected) {
    failWith(error);
    assertEquals(answerTo(served, { command: Read, offset: 512, length: 8 }), number);
    const payload = new Uint8Array(8);
    assertEquals(answerTo(served, { command: Write, offset: 512, payload }), number);
  }
  served.image.obstacle = () => false;
  assertEquals(answerTo(served, { command: Read, length: 8 }), 0);
  assertEquals(served.logged.length, 2 * expected.length);
  assertEquals(served.logged[10], "read of 8 bytes at 512 failed: /image: the L2 table is damaged");
  assertEquals(served.logged[1], "write of 8 bytes at 512 failed: /image: No space left on device");
});

Deno.test("Transmission.serve() takes nothing after a disconnect, but answers what came before", () => {
  using served = new ServedImage();
  const { client, connection } = served.connect();
  blockOnce(served.image);
  client.ask(
    { command: Read, cookie: 1n, length: 512 },
    { command: Disconnect, cookie: 2n },
    { command: Write, cookie: 3n, payload: new Uint8Array(512) },
  );
  served.settle();
  assert(connection.finishing);
  assert(connection.isOver);
  assertEquals(client.replies.map(({ cookie }) => cookie), [1n]);
  assert(sameBytes(served.image.contents(), served.image.model));
});

/** Makes the next answer "blocked". */
function blockOnce(image: FakeImage): void {
  blockTimes(image, 1, () => 0);
}

/** Makes the next answers "blocked", each on the offset that `hostOffset` gives. */
function blockTimes(image: FakeImage, times: number, hostOffset: (n: number) => number): void {
  let n = 0;
  image.obstacle = (_offset, _length, mapping) => {
    if (n >= times || mapping.attempt.mayWait) return false;
    block(mapping, image.file, hostOffset(n++), 512);
    return true;
  };
}

Deno.test("Transmission.serve() answers others while a read waits for the disk", () => {
  using served = new ServedImage();
  const { client, connection } = served.connect();
  blockOnce(served.image);
  client.ask(
    { command: Read, cookie: 1n, offset: 8192, length: 4096 },
    { command: Read, cookie: 2n, offset: 0, length: 16 },
    { command: Write, cookie: 3n, offset: 16, payload: Uint8Array.of(1) },
  );
  served.settle();
  assertEquals(client.replies.map(({ cookie }) => cookie), [2n, 3n, 1n]);
  assert(sameBytes(client.take(1n).data, served.image.model.subarray(8192, 12288)));
  assertEquals(connection.waiting, 0);
});

Deno.test("Transmission.serve() tries a read again for every part it has to wait for", () => {
  using served = new ServedImage();
  let tries = 0;
  const { client } = served.connect();
  blockTimes(served.image, 20, (n) => {
    tries++;
    return n * 512;
  });
  client.ask({ command: Read, cookie: 1n, offset: 512, length: 100 });
  served.settle();
  assertEquals(tries, 20);
  assert(sameBytes(client.take(1n).data, served.image.model.subarray(512, 612)));
});

Deno.test("Transmission.serve() waits where the same part is missing again", () => {
  using served = new ServedImage();
  let tries = 0;
  const { client } = served.connect();
  blockTimes(served.image, Infinity, () => ++tries && 4096);
  client.ask({ command: Read, cookie: 1n, offset: 512, length: 100 });
  served.settle();
  assertEquals(tries, 2);
  assert(sameBytes(client.take(1n).data, served.image.model.subarray(512, 612)));
});

Deno.test("Transmission.serve() waits in the end where ever more parts are missing", () => {
  using served = new ServedImage();
  let tries = 0;
  const { client } = served.connect();
  blockTimes(served.image, Infinity, (n) => {
    tries++;
    return n * 512;
  });
  client.ask({ command: Read, cookie: 1n, offset: 512, length: 100 });
  served.settle();
  assertLess(tries, 100);
  assertEquals(client.take(1n).error, 0);
});

Deno.test("Transmission.serve() brings a long read in by steps, without ever waiting", () => {
  const sizeBytes = 10 * MIB;
  using served = new ServedImage({ sizeBytes });
  const { file } = served.image;
  dropFromCache(file);
  const { client } = served.connect();
  client.ask({ command: Read, cookie: 1n, length: sizeBytes });
  let waited = false;
  served.image.obstacle = (_offset, _length, mapping) => {
    waited ||= mapping.attempt.mayWait;
    return false;
  };
  served.settle();
  assert(sameBytes(client.take(1n).data, served.image.model));
  assertFalse(waited);
});

Deno.test("Transmission.serve() gives up on a parked read whose image is damaged", () => {
  using served = new ServedImage();
  const { client, connection } = served.connect();
  let asked = 0;
  served.image.obstacle = (_offset, _length, mapping) => {
    if (asked++ > 0) throw new ImageFormatError("QCOW", "/image", "bad table");
    block(mapping, served.image.file, 0, 512);
    return true;
  };
  client.ask({ command: Read, cookie: 1n, length: 100 });
  served.settle();
  assertEquals(client.take(1n).error, NbdError.Io);
  assertEquals(connection.waiting, 0);
  assertEquals(served.logged, ["read of 100 bytes at 0 failed: /image: bad table"]);
});

Deno.test("Transmission.serve() brings in ranges of files that cannot tell what is cached", () => {
  using served = new ServedImage({ blind: true });
  const { client } = served.connect();
  const requests = Array.from(
    { length: 100 },
    (_, n) => ({ command: Read, cookie: BigInt(n), offset: n * 4096, length: 4096 }),
  );
  client.ask(...requests);
  served.settle();
  for (const { cookie, offset, length } of requests) {
    const expected = served.image.model.subarray(offset, offset + length);
    assert(sameBytes(client.take(cookie).data, expected), `${offset}`);
  }
});

Deno.test("Transmission.serve() forgets parked reads of a client that has gone", () => {
  using served = new ServedImage();
  const gone = served.connect();
  const stays = served.connect();
  blockOnce(served.image);
  gone.client.ask({ command: Read, cookie: 1n, length: 512 });
  gone.client.move();
  gone.connection.receive();
  gone.transmission.serve();
  assertEquals(gone.connection.waiting, 1);
  gone.connection.broken = true;
  stays.client.ask({ command: Read, cookie: 1n, length: 512 });
  served.settle();
  assertEquals(gone.client.replies, []);
  assertEquals(stays.client.take(1n).error, 0);
});

Deno.test("Transmission.serve() takes no more than 1024 requests that wait", () => {
  using served = new ServedImage();
  const { client, connection, transmission } = served.connect();
  const blocked = (offset: number): boolean => offset < 512 * 1024;
  let released = false;
  served.image.obstacle = (offset, _length, mapping) => {
    if (released || !blocked(offset)) return false;
    block(mapping, served.image.file, offset, 1);
    return true;
  };
  const requests = Array.from(
    { length: 1500 },
    (_, n) => ({ command: Read, cookie: BigInt(n), offset: n * 16, length: 16 }),
  );
  client.ask(...requests);
  client.move();
  connection.receive();
  transmission.serve();
  assertEquals(connection.waiting, 1024);
  assertEquals(connection.takesInput, false);
  released = true;
  served.settle();
  assertEquals(client.replies.length, requests.length);
  for (const { cookie, offset } of requests) {
    assertEquals(client.take(cookie).data, served.image.model.slice(offset, offset + 16));
  }
});

Deno.test("Transmission.serve() stops where a client does not read, and goes on when it does", () => {
  using served = new ServedImage({ sizeBytes: 8 * MIB });
  const { client, connection } = served.connect();
  client.reads = false;
  const requests = Array.from(
    { length: 200 },
    (_, n) => ({ command: Read, cookie: BigInt(n), offset: (n % 8) * MIB, length: MIB - n }),
  );
  client.ask(...requests);
  served.settle();
  assertLess(connection.output.buffer.size, 5 * MIB);
  assert(connection.hasUnsent);
  assert(connection.input.pending > 0, "requests are left");
  client.reads = true;
  served.settle();
  for (const { cookie, offset, length } of requests) {
    const expected = served.image.model.subarray(offset, offset + length);
    assert(sameBytes(client.take(cookie).data, expected), `${cookie}`);
  }
});

Deno.test("Transmission.resume() keeps parked reads for a client that does not read", () => {
  using served = new ServedImage({ sizeBytes: 8 * MIB });
  const slow = served.connect();
  const other = served.connect();
  slow.client.reads = false;
  blockTimes(served.image, 8, (n) => n);
  const requests = Array.from(
    { length: 40 },
    (_, n) => ({ command: Read, cookie: BigInt(n), offset: (n % 8) * MIB, length: MIB }),
  );
  slow.client.ask(...requests);
  served.settle();
  other.client.ask({ command: Read, cookie: 1n, length: 16 });
  served.settle();
  assertEquals(other.client.take(1n).error, 0);
  slow.client.reads = true;
  served.settle();
  assertEquals(slow.client.replies.length, requests.length);
  for (const { cookie, offset, length } of requests) {
    const expected = served.image.model.subarray(offset, offset + length);
    assert(sameBytes(slow.client.take(cookie).data, expected), `${cookie}`);
  }
});

Deno.test("Transmission.serve() answers flushes and FUA writes when they are durable", () => {
  using served = new ServedImage();
  const { client, connection, transmission } = served.connect();
  const flags = CommandFlag.Fua;
  const payload = seededBytes(512, 5);
  client.ask({ command: Write, cookie: 1n, payload, flags });
  client.move();
  connection.receive();
  transmission.serve();
  assertEquals([connection.waiting, connection.hasUnsent], [1, false]);
  served.settle();
  assertEquals(client.take(1n).error, 0);
  assertEquals(answerTo(served, { command: Flush }), 0);
  assertEquals(answerTo(served, { command: WriteZeroes, length: 512, flags }), 0);
  assertEquals(answerTo(served, { command: Trim, length: 512, flags }), 0);
});

Deno.test("Transmission.serve() fails every flush after one that failed, and no plain write", () => {
  using served = new ServedImage();
  const [end, start] = pipe();
  // fdatasync(2) of a pipe fails.
  served.image.filesToSync.push({ fd: end.number, syncFailed: () => {} } as ImageFile);
  assertEquals(answerTo(served, { command: Flush }), NbdError.Io);
  served.image.filesToSync.pop();
  end.close();
  start.close();
  assert(served.shared.flushFailed);
  assertEquals(answerTo(served, { command: Flush }), NbdError.Io);
  const payload = new Uint8Array(8);
  assertEquals(answerTo(served, { command: Write, payload, flags: 1 }), NbdError.Io);
  assertEquals(answerTo(served, { command: Write, payload }), 0);
  assertEquals(answerTo(served, { command: Read, length: 8 }), 0);
  assertStringIncludes(served.logged[0] ?? "", "flush failed: ");
});

Deno.test("Transmission.serve() does on mixed requests what the model does", () => {
  const sizeBytes = 32 * 1024;
  const action = fc.record({
    command: fc.constantFrom(Read, Read, Write, Write, WriteZeroes, Flush),
    offset: fc.nat(sizeBytes),
    length: fc.oneof(fc.nat(64), fc.nat(9000)),
    blocked: fc.integer({ min: 0, max: 3 }),
    split: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      using served = new ServedImage({ sizeBytes });
      const { client } = served.connect();
      let toBlock = 0;
      served.image.obstacle = (offset, _length, mapping) => {
        if (toBlock <= 0 || mapping.attempt.mayWait) return false;
        block(mapping, served.image.file, offset + toBlock--, 1);
        return true;
      };
      const { model } = served.image;
      actions.forEach(({ command, offset, length, blocked, split }, n) => {
        // Only reads meet obstacles: writing to what is not mapped is the driver's mistake.
        toBlock = command === Read ? blocked : 0;
        const cookie = BigInt(n);
        const payload = command === Write ? seededBytes(length, n) : undefined;
        const fields = { command, cookie, offset, length, ...(payload ? { payload } : {}) };
        client.expect(fields);
        const bytes = encodeRequest(fields);
        client.queue(bytes.subarray(0, split));
        served.turn();
        client.queue(bytes.subarray(split));
        served.settle();
        const reply = client.take(cookie);
        const isInside = command === Flush || offset + length <= sizeBytes;
        assertEquals(reply.error === 0, isInside);
        if (!isInside) return;
        if (payload !== undefined) model.set(payload, offset);
        if (command === WriteZeroes) model.fill(0, offset, offset + length);
        if (command === Read) {
          assert(sameBytes(reply.data, model.subarray(offset, offset + length)));
        }
      });
      assert(sameBytes(served.image.contents(), model));
    }),
    { numRuns: 60 },
  );
});
