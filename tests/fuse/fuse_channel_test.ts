// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  FallocateMode,
  INIT_OUT,
  LSEEK_OUT,
  MAX_IO_BYTES,
  NOTIFY_INVAL_INODE,
  Opcode,
  OUT_HEADER,
  Whence,
  WRITE_OUT,
} from "../../src/fuse/protocol.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { block, seededBytes } from "../nbd/served_image.ts";
import { withDescriptor } from "../support/faulty_calls.ts";
import {
  DISK_NODE,
  encodeRequest,
  fallocateBody,
  lseekBody,
  nameBody,
  readBody,
  ServedFuse,
  writeBody,
} from "./fuse_wire.ts";

const EIO = 5;
const ENXIO = 6;
const EINVAL = 22;
const EFBIG = 27;
const ENOSPC = 28;
const EROFS = 30;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

const KIB = 1024;
const SIZE = 1024 * KIB;
const { KeepSize, PunchHole, ZeroRange } = FallocateMode;

Deno.test("READ answers with the bytes of the disk, under the request's own number", () => {
  using fuse = new ServedFuse();
  const unique = 0xfedc_ba98_7654_3210n;
  fuse.send(
    encodeRequest({ opcode: Opcode.Read, unique, node: DISK_NODE, body: readBody(4096, 8192) }),
  );
  fuse.settle();
  const reply = fuse.take(unique);
  assertEquals(reply.error, 0);
  assertEquals(reply.length, OUT_HEADER.size + 8192);
  assertEquals(reply.body, fuse.served.image.model.slice(4096, 4096 + 8192));
});

Deno.test("READ across the end answers with what there is, and past it with nothing", () => {
  using fuse = new ServedFuse({ sizeBytes: 10_001 });
  const across = fuse.read(8192, 4096);
  assertEquals([across.error, across.body], [0, fuse.served.image.model.slice(8192)]);
  for (const offset of [10_001, 10_002, 2n ** 40n, 2n ** 63n, 2n ** 64n - 1n]) {
    const past = fuse.read(offset, 4096);
    assertEquals([past.error, past.length], [0, OUT_HEADER.size], `${offset}`);
  }
});

Deno.test("READ of more than was agreed on answers with no more than that", () => {
  using fuse = new ServedFuse({ sizeBytes: 64 * KIB });
  const reply = fuse.read(0, 2 ** 32 - 1);
  assertEquals(reply.body.length, Math.min(64 * KIB, MAX_IO_BYTES));
});

Deno.test("several requests that have come are all answered, each with its own data", () => {
  using fuse = new ServedFuse();
  const uniques = [2n, 4n, 6n, 8n, 10n];
  for (const unique of uniques) {
    const body = readBody(Number(unique) * 512, 512);
    fuse.send(encodeRequest({ opcode: Opcode.Read, unique, node: DISK_NODE, body }));
  }
  fuse.settle();
  for (const unique of uniques) {
    const at = Number(unique) * 512;
    assertEquals(fuse.take(unique).body, fuse.served.image.model.slice(at, at + 512));
  }
  assertEquals(fuse.replies, []);
});

Deno.test("a damaged image answers EIO and is logged with the range", () => {
  using fuse = new ServedFuse();
  fuse.served.image.obstacle = () => {
    throw new Error("L2 table outside the file");
  };
  const reply = fuse.read(512, 1024);
  assertEquals([reply.error, reply.length], [-EIO, OUT_HEADER.size]);
  assertEquals(fuse.served.logged.length, 1);
  assertStringIncludes(fuse.served.logged[0] ?? "", "read of 1024 bytes at 512 failed: L2 table");
});

Deno.test("WRITE puts the data into the image and says how much", () => {
  using fuse = new ServedFuse();
  const data = seededBytes(64 * KIB, 3);
  const reply = fuse.write(12_288, data);
  assertEquals(reply.error, 0);
  assertEquals(reply.body.length, WRITE_OUT.size);
  const view = new DataView(reply.body.buffer, reply.body.byteOffset);
  assertEquals(view.getUint32(WRITE_OUT.length, true), data.length);
  assertEquals(fuse.served.image.contents().slice(12_288, 12_288 + data.length), data);
});

Deno.test("WRITE beyond the end is refused as a whole and never makes the image longer", () => {
  using fuse = new ServedFuse({ sizeBytes: 8192 });
  for (const offset of [8192, 8191, 4097, 2n ** 40n, 2n ** 63n]) {
    assertEquals(fuse.write(offset, new Uint8Array(4096)).error, -EFBIG, `${offset}`);
  }
  assertEquals(fuse.served.image.contents(), fuse.served.image.model);
});

Deno.test("WRITE to a read-only disk answers EROFS", () => {
  using fuse = new ServedFuse({ readOnly: true });
  assertEquals(fuse.write(0, new Uint8Array(512)).error, -EROFS);
  assertEquals(fuse.served.image.contents(), fuse.served.image.model);
});

Deno.test("WRITE reports the file's own error, ENOSPC among them", () => {
  using fuse = new ServedFuse();
  fuse.served.image.obstacle = () => {
    throw new SystemError("write", ENOSPC, "disk");
  };
  assertEquals(fuse.write(0, new Uint8Array(512)).error, -ENOSPC);
});

Deno.test("FALLOCATE takes hole punching and zeroing, with or without KEEP_SIZE", () => {
  using fuse = new ServedFuse();
  const ask = (mode: number): number =>
    fuse.ask(Opcode.Fallocate, fallocateBody(4096, 8192, mode)).error;
  assertEquals([PunchHole | KeepSize, PunchHole].map(ask), [0, 0]);
  assertEquals([ZeroRange, ZeroRange | KeepSize].map(ask), [0, 0]);
  assertEquals(fuse.served.image.calls, [
    `${PunchHole | KeepSize} 4096 8192`,
    `${PunchHole | KeepSize} 4096 8192`,
    `${ZeroRange | KeepSize} 4096 8192`,
    `${ZeroRange | KeepSize} 4096 8192`,
  ]);
});

Deno.test("FALLOCATE refuses every other mode", () => {
  using fuse = new ServedFuse();
  const COLLAPSE = 8;
  const INSERT = 32;
  for (const mode of [0, KeepSize, COLLAPSE, INSERT, PunchHole | ZeroRange, 2 ** 31]) {
    const { error } = fuse.ask(Opcode.Fallocate, fallocateBody(0, 4096, mode));
    assertEquals(error, -EOPNOTSUPP, `mode ${mode}`);
  }
  assertEquals(fuse.served.image.calls, []);
});

Deno.test("FALLOCATE stays inside the disk, and off a read-only one", () => {
  using fuse = new ServedFuse({ sizeBytes: 8192 });
  for (const [offset, length] of [[4096, 4097], [8192, 1], [2n ** 63n, 512], [0, 2n ** 64n - 1n]]) {
    const body = fallocateBody(offset ?? 0, length ?? 0, PunchHole | KeepSize);
    assertEquals(fuse.ask(Opcode.Fallocate, body).error, -EFBIG, `${offset} ${length}`);
  }
  using readOnly = new ServedFuse({ readOnly: true });
  const body = fallocateBody(0, 4096, PunchHole | KeepSize);
  assertEquals(readOnly.ask(Opcode.Fallocate, body).error, -EROFS);
  assertEquals([...fuse.served.image.calls, ...readOnly.served.image.calls], []);
});

Deno.test("FALLOCATE answers EOPNOTSUPP where the file cannot do it", () => {
  using fuse = new ServedFuse();
  fuse.served.image.canAllocate = false;
  const body = fallocateBody(0, 4096, PunchHole | KeepSize);
  assertEquals(fuse.ask(Opcode.Fallocate, body).error, -EOPNOTSUPP);
  assertEquals(fuse.served.image.contents(), fuse.served.image.model);
});

Deno.test("LSEEK finds holes and data", () => {
  using fuse = new ServedFuse({ sizeBytes: 64 * KIB });
  const { image } = fuse.served;
  // A hole from 16 KiB to 48 KiB.
  image.obstacle = (offset, length, mapping) => {
    if (offset < 16 * KIB || offset >= 48 * KIB) {
      const end = offset < 16 * KIB ? 16 * KIB : 64 * KIB;
      mapping.setData(image.file, offset, Math.min(length, end - offset));
    } else mapping.setZero(Math.min(length, 48 * KIB - offset));
    return true;
  };
  const seek = (from: number | bigint, whence: number): number => {
    const { error, body } = fuse.ask(Opcode.Lseek, lseekBody(from, whence));
    if (error !== 0) return error;
    assertEquals(body.length, LSEEK_OUT.size);
    return Number(new DataView(body.buffer, body.byteOffset).getBigUint64(0, true));
  };
  assertEquals(seek(0, Whence.Hole), 16 * KIB);
  assertEquals(seek(20 * KIB, Whence.Hole), 20 * KIB);
  assertEquals(seek(20 * KIB, Whence.Data), 48 * KIB);
  assertEquals(seek(50 * KIB, Whence.Data), 50 * KIB);
  assertEquals(seek(50 * KIB, Whence.Hole), 64 * KIB);
  assertEquals(seek(64 * KIB, Whence.Hole), -ENXIO);
  assertEquals(seek(2n ** 63n, Whence.Data), -ENXIO);
  for (const whence of [0, 1, 2, 5]) assertEquals(seek(0, whence), -EINVAL);
});

Deno.test("LSEEK finds no data where none follows", () => {
  using fuse = new ServedFuse();
  fuse.served.image.obstacle = (_, length, mapping) => {
    mapping.setZero(length);
    return true;
  };
  assertEquals(fuse.ask(Opcode.Lseek, lseekBody(0, Whence.Data)).error, -ENXIO);
});

Deno.test("FSYNC is answered when the image is durable", () => {
  using fuse = new ServedFuse();
  fuse.send(encodeRequest({ opcode: Opcode.Fsync, unique: 8n, node: DISK_NODE }));
  fuse.turn();
  assertEquals(fuse.replies, [], "answered before the slow lane was asked");
  fuse.settle();
  const { error, length } = fuse.take(8n);
  assertEquals([error, length], [0, OUT_HEADER.size]);
});

Deno.test("FSYNC fails, and goes on failing, when the image could not be made durable", () => {
  using fuse = new ServedFuse();
  const { image } = fuse.served;
  // A pipe cannot be synced.
  const [pipeEnd, other] = pipe();
  image.filesToSync.splice(0, 1, withDescriptor(image.file, pipeEnd.number));
  assertEquals(fuse.ask(Opcode.Fsync).error, -EIO);
  image.filesToSync.splice(0, 1, image.file);
  assertEquals(fuse.ask(Opcode.Fsync).error, -EIO);
  assert(fuse.served.logged.some((line) => line.includes("flush failed")));
  pipeEnd.close();
  other.close();
});

Deno.test("a read that has to wait for a disk does not hold up the next one", () => {
  using fuse = new ServedFuse();
  const { image } = fuse.served;
  let blocked = true;
  image.obstacle = (offset, length, mapping) => {
    if (offset !== 0 || !blocked) return false;
    blocked = false;
    block(mapping, image.file, offset, length);
    return true;
  };
  const ask = (unique: bigint, offset: number): void => {
    const body = readBody(offset, 4096);
    fuse.send(encodeRequest({ opcode: Opcode.Read, unique, node: DISK_NODE, body }));
  };
  ask(2n, 0);
  ask(4n, 4096);
  fuse.turn();
  assertEquals(fuse.replies.map(({ unique }) => unique), [4n]);
  fuse.settle();
  assertEquals(fuse.take(2n).body, image.model.slice(0, 4096));
  assertEquals(fuse.take(4n).body, image.model.slice(4096, 8192));
});

Deno.test("a file that cannot say what is cached has all its reads parked, and answered", () => {
  using fuse = new ServedFuse({ blind: true });
  fuse.send(
    encodeRequest({ opcode: Opcode.Read, unique: 2n, node: DISK_NODE, body: readBody(0, 4096) }),
  );
  fuse.turn();
  assertEquals(fuse.replies, []);
  fuse.settle();
  assertEquals(fuse.take(2n).body, fuse.served.image.model.slice(0, 4096));
});

Deno.test("a session that has ended is over only when what waits has been answered", () => {
  using fuse = new ServedFuse({ blind: true });
  fuse.send(
    encodeRequest({ opcode: Opcode.Read, unique: 2n, node: DISK_NODE, body: readBody(0, 4096) }),
  );
  fuse.turn();
  fuse.channel.finish();
  assertFalse(fuse.channel.isOver);
  assertEquals(fuse.channel.events, 0);
  fuse.served.settle();
  assert(fuse.channel.isOver);
});

Deno.test("the end of the file system ends the session", () => {
  using fuse = new ServedFuse();
  assertFalse(fuse.channel.isOver);
  fuse.hangUp();
  assertFalse(fuse.channel.serve());
  assert(fuse.channel.isOver);
});

Deno.test("FORGET, BATCH_FORGET and INTERRUPT get no reply", () => {
  using fuse = new ServedFuse();
  for (const opcode of [Opcode.Forget, Opcode.BatchForget, Opcode.Interrupt]) {
    fuse.send(encodeRequest({ opcode, unique: 2n, node: DISK_NODE, body: new Uint8Array(16) }));
  }
  fuse.settle();
  assertEquals(fuse.replies, []);
  assertEquals(fuse.read(0, 512).error, 0);
});

Deno.test("sizeChanged() tells the kernel to forget the disk's attributes", () => {
  using fuse = new ServedFuse();
  fuse.channel.sizeChanged();
  fuse.settle();
  const { error, length, body } = fuse.take(0n);
  const view = new DataView(body.buffer, body.byteOffset);
  assertEquals([error, length], [NOTIFY_INVAL_INODE.code, OUT_HEADER.size + 24]);
  assertEquals(view.getBigUint64(NOTIFY_INVAL_INODE.inode, true), BigInt(DISK_NODE));
  // A negative offset: the attributes only.
  assertEquals(view.getBigInt64(NOTIFY_INVAL_INODE.offset, true), -1n);
});

Deno.test("INIT and LOOKUP are answered over the wire", () => {
  using fuse = new ServedFuse();
  const body = new Uint8Array(64);
  new DataView(body.buffer).setUint32(0, 7, true);
  new DataView(body.buffer).setUint32(4, 31, true);
  assertEquals(fuse.ask(Opcode.Init, body, 0).body.length, INIT_OUT.size);
  assertEquals(fuse.ask(Opcode.Lookup, nameBody("images"), 1).error, 0);
  assertEquals(fuse.ask(Opcode.Lookup, nameBody("disk.raw"), 2).error, 0);
  assertEquals(fuse.ask(4000).error, -ENOSYS);
});

Deno.test("any sequence of reads, writes and zeroing does what a plain array would do", () => {
  const range = { offset: fc.nat(SIZE + 512), length: fc.integer({ min: 1, max: 32 * KIB }) };
  const step = fc.record({ what: fc.constantFrom("read", "write", "zero"), ...range });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      using fuse = new ServedFuse();
      const model = fuse.served.image.model.slice();
      for (const [seed, { what, offset, length }] of steps.entries()) {
        const fits = offset + length <= SIZE;
        if (what === "read") {
          assertEquals(fuse.read(offset, length).body, model.slice(offset, offset + length));
        } else if (what === "write") {
          const data = seededBytes(length, seed);
          assertEquals(fuse.write(offset, data).error, fits ? 0 : -EFBIG);
          if (fits) model.set(data, offset);
        } else {
          const body = fallocateBody(offset, length, PunchHole | KeepSize);
          assertEquals(fuse.ask(Opcode.Fallocate, body).error, fits ? 0 : -EFBIG);
          if (fits) model.fill(0, offset, offset + length);
        }
      }
      assertEquals(fuse.served.image.contents(), model);
    }),
    { numRuns: 15 },
  );
});

Deno.test("garbage never throws, is answered at most once, and leaves the session usable", () => {
  using fuse = new ServedFuse({ sizeBytes: 64 * KIB, readOnly: true });
  const opcode = fc.oneof(fc.constantFrom(...Object.values(Opcode)), fc.nat(64));
  const node = fc.oneof(fc.constantFrom(0n, 1n, 2n, 3n, 4n), fc.bigInt(0n, 2n ** 64n - 1n));
  const body = fc.uint8Array({ maxLength: 256 });
  let unique = 1000n;
  fc.assert(
    fc.property(opcode, node, body, (opcode, node, body) => {
      unique += 2n;
      fuse.send(encodeRequest({ opcode, unique, node, body }));
      fuse.settle();
      const replies = fuse.replies.filter((reply) => reply.unique === unique);
      assert(replies.length <= 1);
      for (const { length, error, body } of replies) {
        assertEquals(length, OUT_HEADER.size + body.length);
        assert(error <= 0 && error > -4096);
        if (error !== 0) assertEquals(body.length, 0);
        fuse.take(unique);
      }
      assertEquals(fuse.read(0, 512).error, 0);
    }),
    { numRuns: 400 },
  );
  assertEquals(fuse.served.image.contents(), fuse.served.image.model);
});

Deno.test("a header whose length is a lie does not throw", () => {
  using fuse = new ServedFuse();
  for (const length of [0, 39, 41, 2 ** 31, 2 ** 32 - 1]) {
    const message = encodeRequest({
      opcode: Opcode.Lookup,
      unique: 6n,
      node: 1,
      body: nameBody("images"),
    });
    new DataView(message.buffer).setUint32(0, length, true);
    fuse.send(message);
    fuse.settle();
    fuse.take(6n);
  }
  assertEquals(fuse.write(0, writeBody(0, new Uint8Array(8))).error, 0);
});
