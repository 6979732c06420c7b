// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { ImageFormatError } from "../../src/image/errors.ts";
import type { Mapping } from "../../src/image/mapping.ts";
import {
  BASE_ALLOCATION,
  BlockState,
  ChunkType,
  Command,
  CommandFlag,
  MAX_PAYLOAD_BYTES,
  NbdError,
  STRUCTURED_REPLY_MAGIC,
} from "../../src/nbd/protocol.ts";
import { sameBytes } from "../format/opened_image.ts";
import { dropFromCache } from "../support/page_cache.ts";
import { block, type Served, ServedImage } from "./served_image.ts";
import type { Reply, RequestFields } from "./wire.ts";

const { Read, Write, Flush, Trim, BlockStatus } = Command;
const { Hole, Zero } = BlockState;
const ALL = { structured: true, blockStatus: true };
const KIB = 1024;

/** The structured reply to one request. */
function replyTo(served: ServedImage, fields: Omit<RequestFields, "cookie">): Reply {
  const { client } = served.connect(ALL);
  client.ask({ cookie: 1n, ...fields });
  served.settle();
  assertEquals(client.unparsed.length, 0);
  return client.take(1n);
}

/** The extents of a good reply to a block status request, as pairs of length and state. */
function extentsOf({ data, type }: Reply): [length: number, state: number][] {
  assertEquals(type, ChunkType.BlockStatus);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  assertEquals(view.getUint32(0), BASE_ALLOCATION.id);
  const count = (data.length - 4) / 8;
  return Array.from(
    { length: count },
    (_, n) => [view.getUint32(4 + 8 * n), view.getUint32(8 + 8 * n)],
  );
}

/** Has every other piece of a disk be zeros, in the size given. */
function checkered(served: ServedImage, pieceBytes: number): void {
  served.image.obstacle = (guestOffset, lengthBytes, mapping): boolean => {
    const rest = Math.min(pieceBytes - guestOffset % pieceBytes, lengthBytes);
    if (Math.floor(guestOffset / pieceBytes) % 2 === 0) mapping.setZero(rest);
    else mapping.setData(served.image.file, guestOffset, rest);
    return true;
  };
}

Deno.test("Transmission.serve() answers reads with one chunk of data", () => {
  using served = new ServedImage();
  const reply = replyTo(served, { command: Read, offset: 4097, length: 5000 });
  assertEquals([reply.magic, reply.type], [STRUCTURED_REPLY_MAGIC, ChunkType.OffsetData]);
  assertEquals(reply.offset, 4097n);
  assert(sameBytes(reply.data, served.image.model.subarray(4097, 9097)));
  const whole = replyTo(served, { command: Read, length: 64, flags: CommandFlag.DontFragment });
  assert(sameBytes(whole.data, served.image.model.subarray(0, 64)));
});

Deno.test("Transmission.serve() sends no zeros where there is nothing else", () => {
  using served = new ServedImage({ sizeBytes: 64 * KIB });
  checkered(served, 4 * KIB);
  const { model } = served.image;
  for (let piece = 0; piece < 16; piece += 2) model.fill(0, piece * 4 * KIB, (piece + 1) * 4 * KIB);
  const flags = CommandFlag.DontFragment;
  for (const [offset, length] of [[0, 4096], [8192, 512], [8200, 3000]] as const) {
    const { type, data } = replyTo(served, { command: Read, offset, length, flags });
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    assertEquals(type, ChunkType.OffsetHole);
    assertEquals([Number(view.getBigUint64(0)), view.getUint32(8), data.length], [
      offset,
      length,
      12,
    ]);
  }
  // too short to be worth it, partly data, all data
  for (const [offset, length] of [[0, 511], [0, 4097], [4095, 512], [4096, 4096]] as const) {
    const { type, data } = replyTo(served, { command: Read, offset, length });
    assertEquals(type, ChunkType.OffsetData);
    assert(sameBytes(data, model.subarray(offset, offset + length)));
  }
  const { client } = served.connect({ structured: false, blockStatus: false });
  client.ask({ command: Read, cookie: 2n, offset: 0, length: 4096 });
  served.settle();
  assert(sameBytes(client.take(2n).data, new Uint8Array(4096)));
});

Deno.test("Transmission.serve() answers a read of nothing with a chunk of nothing", () => {
  using served = new ServedImage();
  const reply = replyTo(served, { command: Read, offset: 7, length: 0 });
  assertEquals([reply.type, reply.error, reply.data.length], [ChunkType.None, 0, 0]);
});

Deno.test("Transmission.serve() answers what has no data, and errors, with chunks of their own", () => {
  using served = new ServedImage();
  const written = replyTo(served, { command: Write, offset: 1, payload: Uint8Array.of(1) });
  assertEquals([written.type, written.error], [ChunkType.None, 0]);
  const flushed = replyTo(served, { command: Flush });
  assertEquals([flushed.type, flushed.error], [ChunkType.None, 0]);
  const outside: Omit<RequestFields, "cookie">[] = [
    { command: Read, offset: served.image.sizeBytes, length: 1 },
    { command: Read, length: MAX_PAYLOAD_BYTES + 1 },
    { command: Read, length: 1, flags: CommandFlag.RequestOne },
    { command: Trim, offset: 2n ** 63n, length: 1 },
    { command: 99 },
  ];
  for (const fields of outside) {
    const { type, error } = replyTo(served, fields);
    assertEquals([type, error], [ChunkType.Error, NbdError.Inval], JSON.stringify(fields.command));
  }
  served.image.obstacle = () => {
    throw new ImageFormatError("X", "x", "damaged");
  };
  const { type, error } = replyTo(served, { command: Read, length: 512 });
  assertEquals([type, error], [ChunkType.Error, NbdError.Io]);
});

Deno.test("Transmission.serve() tells holes from data, neighbours joined", () => {
  using served = new ServedImage({ sizeBytes: 64 * KIB });
  served.image.obstacle = (guestOffset, lengthBytes, mapping): boolean => {
    // answers of at most 1 KiB: 0-8 zeros, 8-24 data, 24-64 nobody knows of
    const rest = Math.min(KIB - guestOffset % KIB, lengthBytes);
    if (guestOffset < 8 * KIB) mapping.setZero(rest);
    else if (guestOffset < 24 * KIB) mapping.setData(served.image.file, guestOffset, rest);
    else mapping.setBacking(undefined, guestOffset, rest);
    return true;
  };
  const whole = { command: BlockStatus, length: 64 * KIB };
  const both = Hole | Zero;
  const expected: [number, number][] = [[8 * KIB, both], [16 * KIB, 0], [40 * KIB, both]];
  assertEquals(extentsOf(replyTo(served, whole)), expected);
  const one = { ...whole, flags: CommandFlag.RequestOne };
  assertEquals(extentsOf(replyTo(served, one)), [[8 * KIB, both]]);
  const part = { command: BlockStatus, offset: 23 * KIB + 1, length: KIB };
  assertEquals(extentsOf(replyTo(served, part)), [[KIB - 1, 0], [1, both]]);
});

Deno.test("Transmission.serve() looks through the chain, and past the end of a shorter image", () => {
  using served = new ServedImage({ sizeBytes: 64 * KIB });
  using below = new ServedImage({ sizeBytes: 24 * KIB });
  checkered(below, 16 * KIB);
  served.image.obstacle = (guestOffset, lengthBytes, mapping): boolean => {
    mapping.setBacking(below.image, guestOffset, lengthBytes);
    return true;
  };
  const reply = replyTo(served, { command: BlockStatus, length: 64 * KIB });
  assertEquals(extentsOf(reply), [[16 * KIB, 3], [8 * KIB, 0], [40 * KIB, 3]]);
});

Deno.test("Transmission.serve() refuses block status that makes no sense", () => {
  using served = new ServedImage();
  const senseless: Omit<RequestFields, "cookie">[] = [
    { command: BlockStatus, length: 0 },
    { command: BlockStatus, offset: served.image.sizeBytes, length: 1 },
    { command: BlockStatus, offset: 2n ** 64n - 1n, length: 0xffffffff },
    { command: BlockStatus, length: 512, flags: CommandFlag.Fua },
  ];
  for (const fields of senseless) {
    assertEquals(replyTo(served, fields).error, NbdError.Inval);
  }
  for (const negotiated of [undefined, { structured: true, blockStatus: false }]) {
    const { client } = served.connect(negotiated);
    client.ask({ command: BlockStatus, cookie: 1n, length: 512 });
    served.settle();
    assertEquals(client.take(1n).error, NbdError.Inval);
  }
});

Deno.test("Transmission.serve() tells only what it has found after some time, and all in the end", () => {
  const sizeBytes = 32 * 1024 * KIB;
  using served = new ServedImage({ sizeBytes });
  checkered(served, 4 * KIB);
  let calls = 0;
  const { obstacle } = served.image;
  served.image.obstacle = (...args): boolean => {
    calls++;
    return obstacle(...args);
  };
  const states: number[] = [];
  for (let at = 0; at < sizeBytes;) {
    calls = 0;
    const length = sizeBytes - at;
    const extents = extentsOf(replyTo(served, { command: BlockStatus, offset: at, length }));
    assertLess(calls, 2100);
    assertLess(extents.length, 1025);
    for (const [bytes, state] of extents) {
      assertEquals(bytes, 4 * KIB);
      states.push(state);
      at += bytes;
    }
  }
  assertEquals(states, Array.from({ length: sizeBytes / 4 / KIB }, (_, n) => n % 2 === 0 ? 3 : 0));
});

/** Asks for the first 64 KiB, where the second half of the metadata is not at hand at once. */
function statusOfCold(served: ServedImage, blockedFrom: number): Reply {
  const { file } = served.image;
  let isAtHand = false;
  served.image.obstacle = (guestOffset, lengthBytes, mapping): boolean => {
    if (guestOffset >= blockedFrom && !isAtHand) {
      block(mapping, file, 4096, 512);
      isAtHand = true;
      return true;
    }
    mapping.setZero(Math.min(lengthBytes, 32 * KIB));
    return true;
  };
  dropFromCache(file);
  return replyTo(served, { command: BlockStatus, length: 64 * KIB });
}

Deno.test("Transmission.serve() parks block status only where nothing is known yet", () => {
  using served = new ServedImage();
  assertEquals(extentsOf(statusOfCold(served, 32 * KIB)), [[32 * KIB, 3]]);
  assertEquals(extentsOf(statusOfCold(served, 0)), [[64 * KIB, 3]]);
});

Deno.test("Transmission.serve() tells of damage only where it is met first", () => {
  using served = new ServedImage();
  served.image.obstacle = (guestOffset, lengthBytes, mapping): boolean => {
    if (guestOffset >= 4096) throw new ImageFormatError("X", "x", "damaged");
    mapping.setZero(Math.min(lengthBytes, 4096));
    return true;
  };
  const fine = replyTo(served, { command: BlockStatus, length: 8192 });
  assertEquals(extentsOf(fine), [[4096, 3]]);
  const damaged = replyTo(served, { command: BlockStatus, offset: 4096, length: 4096 });
  assertEquals([damaged.type, damaged.error], [ChunkType.Error, NbdError.Io]);
});

/** A map made of runs, asked in any way. */
Deno.test("Transmission.serve() never tells anything but what map() says", () => {
  const runs = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), zero: fc.boolean() }),
    { minLength: 1, maxLength: 40 },
  );
  const asked = fc.array(fc.record({ from: fc.nat(), bytes: fc.nat(), one: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(runs, asked, (list, requests) => {
      const truth = list.flatMap(({ bytes, zero }) => Array<number>(bytes).fill(zero ? 3 : 0));
      using served = new ServedImage({ sizeBytes: truth.length });
      served.image.obstacle = mapOf(truth, served);
      for (const { from, bytes, one } of requests) {
        const offset = from % truth.length;
        const length = 1 + bytes % (truth.length - offset);
        const flags = one ? CommandFlag.RequestOne : 0;
        const extents = extentsOf(replyTo(served, { command: BlockStatus, offset, length, flags }));
        const told = extents.flatMap(([count, state]) => Array<number>(count).fill(state));
        const expected = one ? told.length : length;
        assertEquals(told, truth.slice(offset, offset + expected));
        assert(told.length > 0 && told.length <= length);
        if (one) assertEquals(extents.length, 1);
      }
    }),
    { numRuns: 50 },
  );
});

function mapOf(
  truth: readonly number[],
  served: ServedImage,
): (guestOffset: number, lengthBytes: number, mapping: Mapping) => boolean {
  return (guestOffset, lengthBytes, mapping) => {
    const state = truth[guestOffset];
    let bytes = 1;
    while (bytes < Math.min(lengthBytes, 700) && truth[guestOffset + bytes] === state) bytes++;
    if (state === 0) mapping.setData(served.image.file, guestOffset, bytes);
    else mapping.setZero(bytes);
    return true;
  };
}

Deno.test("Transmission.serve() mixes clients of all kinds", () => {
  using served = new ServedImage();
  checkered(served, 64 * KIB);
  const clients: Served[] = [undefined, ALL, { structured: true, blockStatus: false }]
    .map((negotiated) => served.connect(negotiated));
  for (const { client } of clients) {
    for (let n = 0; n < 50; n++) {
      client.ask({ command: Read, cookie: BigInt(n), offset: 64 * KIB + n * 512, length: 512 });
    }
  }
  served.settle();
  for (const { client } of clients) {
    for (let n = 0; n < 50; n++) {
      const at = 64 * KIB + n * 512;
      assert(sameBytes(client.take(BigInt(n)).data, served.image.model.subarray(at, at + 512)));
    }
  }
});
