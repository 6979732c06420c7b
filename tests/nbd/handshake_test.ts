// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import type { ExportDescription } from "../../src/nbd/export.ts";
import { Handshake } from "../../src/nbd/handshake.ts";
import {
  GREETING,
  HandshakeFlag,
  INIT_MAGIC,
  MAX_OPTION_BYTES,
  MAX_PAYLOAD_BYTES,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  OptionReply,
  TransmissionFlag,
} from "../../src/nbd/protocol.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { joined } from "../../src/sys/joined.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const EXPORT: ExportDescription = {
  sizeBytes: 2 ** 40 + 512,
  flags: 0x1234,
  minimumBlockBytes: 1,
  preferredBlockBytes: 4096,
};
const BOTH_FLAGS = HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes;

/** A handshake fed from a buffer as the serve loop does it. */
class Client {
  readonly #replies: Uint8Array[] = [];
  readonly handshake = new Handshake(EXPORT, (bytes) => this.#replies.push(bytes));
  #pending: Uint8Array = new Uint8Array();

  get isOpen(): boolean {
    return this.handshake.state === "greeting" || this.handshake.state === "options";
  }

  /** Has `bytes` arrive, in pieces of `pieceBytes`; what comes after the end is not looked at. */
  feed(bytes: Uint8Array, pieceBytes = bytes.length): this {
    for (let at = 0; at < bytes.length && this.isOpen; at += pieceBytes) {
      this.#arrive(bytes.subarray(at, at + pieceBytes));
    }
    return this;
  }

  #arrive(piece: Uint8Array): void {
    // Somewhere in the buffer, as after earlier messages.
    const start = 3;
    const held = joined([this.#pending, piece]);
    const input = new IoBuffer(start + held.length + 2);
    input.bytes.set(held, start);
    const end = start + held.length;
    const next = this.handshake.advance(input, start, end);
    assert(next >= start && next <= end);
    this.#pending = held.slice(next - start);
  }

  /** Bytes that arrived and were not taken. */
  get pending(): Uint8Array {
    return this.#pending;
  }

  get replyBytes(): Uint8Array {
    return joined(this.#replies);
  }

  /** Option replies, each as its option, type and data. */
  get replies(): { option: number; type: number; data: Uint8Array }[] {
    const bytes = this.replyBytes;
    const view = new DataView(bytes.buffer);
    const found = [];
    for (let at = 0; at < bytes.length;) {
      assertEquals(view.getUint32(at), OPTION_REPLY_MAGIC[0]);
      assertEquals(view.getUint32(at + 4), OPTION_REPLY_MAGIC[1]);
      const dataAt = at + OPTION_REPLY.size;
      const end = dataAt + view.getUint32(at + OPTION_REPLY.length);
      assert(end <= bytes.length);
      found.push({
        option: view.getUint32(at + OPTION_REPLY.option),
        type: view.getUint32(at + OPTION_REPLY.type),
        data: bytes.slice(dataAt, end),
      });
      at = end;
    }
    return found;
  }

  get replyTypes(): number[] {
    return this.replies.map(({ type }) => type);
  }
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function option(type: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  return optionHead(type, data.length, data);
}

/** An option that says it has `length` bytes of data. */
function optionHead(type: number, length: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  return joined([u32(OPTION_MAGIC[0]), u32(OPTION_MAGIC[1]), u32(type), u32(length), data]);
}

/** Data of NBD_OPT_INFO and NBD_OPT_GO. */
function infoData(name: string, requests: readonly number[] = []): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  return joined([u32(bytes.length), bytes, u16(requests.length), ...requests.map(u16)]);
}

/** Data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
function contextData(name: string, queries: readonly string[]): Uint8Array {
  const counted = (text: string): Uint8Array => {
    const bytes = new TextEncoder().encode(text);
    return joined([u32(bytes.length), bytes]);
  };
  return joined([counted(name), u32(queries.length), ...queries.map(counted)]);
}

const HELLO = u32(BOTH_FLAGS);
const STRUCTURED = option(Option.StructuredReply);

Deno.test("Handshake.greeting() offers fixed newstyle without zeroes", () => {
  const greeting = Handshake.greeting();
  const view = new DataView(greeting.buffer);
  assertEquals(new TextDecoder().decode(greeting.subarray(0, 16)), "NBDMAGICIHAVEOPT");
  assertEquals(view.getUint32(GREETING.magic), INIT_MAGIC[0]);
  assertEquals(view.getUint16(GREETING.flags), BOTH_FLAGS);
  assertEquals(greeting.length, 18);
});

/** A conversation and what comes of it; run in one piece and byte by byte, if that is not long. */
function conversation(name: string, bytes: Uint8Array, check: (client: Client) => void): void {
  const pieces = bytes.length > 20_000 ? [4093, 60_000] : [1, 3, 17];
  Deno.test(name, () => {
    for (const pieceBytes of [bytes.length, ...pieces]) {
      check(new Client().feed(bytes, pieceBytes));
    }
  });
}

conversation(
  "Handshake.advance() answers GO with size, flags and block sizes",
  joined([HELLO, option(Option.Go, infoData("", [3, 0]))]),
  ({ handshake, replies, pending }) => {
    assertEquals(handshake.state, "transmission");
    assertEquals(pending.length, 0);
    assertEquals(replies.map(({ type }) => type), [
      OptionReply.Info,
      OptionReply.Info,
      OptionReply.Ack,
    ]);
    assert(replies.every((reply) => reply.option === Option.Go));
    const [size, blocks] = replies.map(({ data }) => data);
    assertEquals(size, joined([u16(0), u32(2 ** 8), u32(512), u16(0x1234)]));
    assertEquals(blocks, joined([u16(3), u32(1), u32(4096), u32(MAX_PAYLOAD_BYTES)]));
  },
);

conversation(
  "Handshake.advance() answers INFO like GO, but goes on with options",
  joined([HELLO, option(Option.Info, infoData("")), option(Option.Abort)]),
  ({ handshake, replies }) => {
    assertEquals(handshake.state, "closed");
    assertEquals(replies.map((reply) => [reply.option, reply.type]), [
      [Option.Info, OptionReply.Info],
      [Option.Info, OptionReply.Info],
      [Option.Info, OptionReply.Ack],
      [Option.Abort, OptionReply.Ack],
    ]);
  },
);

conversation(
  "Handshake.advance() knows no export but the one without a name",
  joined([
    HELLO,
    option(Option.Info, infoData("disk")),
    option(Option.Go, infoData("disk")),
    option(Option.Go, infoData("x".repeat(4096))),
  ]),
  ({ handshake, replyTypes }) => {
    assertEquals(handshake.state, "options");
    assertEquals(replyTypes, Array(3).fill(OptionReply.ErrUnknown));
  },
);

conversation(
  "Handshake.advance() refuses GO and INFO whose lengths do not fit",
  joined([
    HELLO,
    option(Option.Go),
    option(Option.Go, u32(0)),
    option(Option.Go, joined([u32(0), u16(1)])),
    option(Option.Go, joined([u32(0), u16(0), u16(0)])),
    option(Option.Info, joined([u32(5), u16(0)])),
    option(Option.Info, joined([u32(0xffffffff), u16(0)])),
    option(Option.Info, infoData("x".repeat(4097))),
  ]),
  ({ handshake, replyTypes }) => {
    assertEquals(handshake.state, "options");
    assertEquals(replyTypes, Array(7).fill(OptionReply.ErrInvalid));
  },
);

conversation(
  "Handshake.advance() lists the one export",
  joined([HELLO, option(Option.List)]),
  ({ handshake, replies }) => {
    assertEquals(handshake.state, "options");
    assertEquals(replies, [
      { option: Option.List, type: OptionReply.Server, data: u32(0) },
      { option: Option.List, type: OptionReply.Ack, data: new Uint8Array() },
    ]);
  },
);

conversation(
  "Handshake.advance() refuses LIST with data",
  joined([HELLO, option(Option.List, Uint8Array.of(1))]),
  ({ replyTypes }) => assertEquals(replyTypes, [OptionReply.ErrInvalid]),
);

conversation(
  "Handshake.advance() refuses what it does not support, each in turn",
  joined([
    HELLO,
    option(Option.StartTls),
    option(4),
    option(11, Uint8Array.of(1, 2, 3)),
    option(0xffffffff),
    option(0),
  ]),
  ({ handshake, replies }) => {
    assertEquals(handshake.state, "options");
    assertEquals(replies.map((reply) => reply.option), [5, 4, 11, 0xffffffff, 0]);
    assert(replies.every(({ type }) => type === OptionReply.ErrUnsupported));
  },
);

conversation(
  "Handshake.advance() drops the data of an option that is too long, and goes on",
  joined([
    HELLO,
    option(Option.Go, new Uint8Array(MAX_OPTION_BYTES + 1)),
    option(Option.List),
  ]),
  ({ handshake, replyTypes }) => {
    assertEquals(handshake.state, "options");
    assertEquals(replyTypes, [OptionReply.ErrTooBig, OptionReply.Server, OptionReply.Ack]);
  },
);

conversation(
  "Handshake.advance() takes an option of the greatest length",
  joined([HELLO, option(100, new Uint8Array(MAX_OPTION_BYTES)), option(Option.List)]),
  ({ replyTypes }) =>
    assertEquals(replyTypes, [OptionReply.ErrUnsupported, OptionReply.Server, OptionReply.Ack]),
);

conversation(
  "Handshake.advance() ends a connection with an absurd length",
  joined([HELLO, optionHead(Option.Go, MAX_PAYLOAD_BYTES + 1)]),
  ({ handshake, replyBytes }) => {
    assertEquals(handshake.state, "closed");
    assertEquals(replyBytes.length, 0);
  },
);

conversation(
  "Handshake.advance() ends a connection without the option magic",
  joined([HELLO, new Uint8Array(16)]),
  ({ handshake, replyBytes }) => {
    assertEquals(handshake.state, "closed");
    assertEquals(replyBytes.length, 0);
  },
);

conversation(
  "Handshake.advance() acknowledges ABORT",
  joined([HELLO, option(Option.Abort, Uint8Array.of(1, 2))]),
  ({ handshake, replies }) => {
    assertEquals(handshake.state, "closed");
    assertEquals(replies, [
      { option: Option.Abort, type: OptionReply.Ack, data: new Uint8Array() },
    ]);
  },
);

conversation(
  "Handshake.advance() answers EXPORT_NAME without zeroes where the client wants none",
  joined([HELLO, option(Option.ExportName)]),
  ({ handshake, replyBytes }) => {
    assertEquals(handshake.state, "transmission");
    assertEquals(replyBytes, joined([u32(2 ** 8), u32(512), u16(0x1234)]));
  },
);

conversation(
  "Handshake.advance() answers EXPORT_NAME with 124 zeroes otherwise",
  joined([u32(HandshakeFlag.FixedNewstyle), option(Option.ExportName)]),
  ({ handshake, replyBytes }) => {
    assertEquals(handshake.state, "transmission");
    assertEquals(replyBytes.length, 10 + 124);
    assert(replyBytes.subarray(10).every((byte) => byte === 0));
  },
);

conversation(
  "Handshake.advance() ends a connection that wants a named export by EXPORT_NAME",
  joined([HELLO, option(Option.ExportName, Uint8Array.of(65))]),
  ({ handshake, replyBytes }) => {
    assertEquals(handshake.state, "closed");
    assertEquals(replyBytes.length, 0);
  },
);

conversation(
  "Handshake.advance() ends a connection with a far too long EXPORT_NAME",
  joined([HELLO, optionHead(Option.ExportName, MAX_OPTION_BYTES + 1)]),
  ({ handshake }) => assertEquals(handshake.state, "closed"),
);

for (const flags of [4, 0x80000000, 0xffff]) {
  conversation(
    `Handshake.advance() ends a connection with unknown client flags ${flags.toString(16)}`,
    joined([u32(flags), option(Option.Go, infoData(""))]),
    ({ handshake, replyBytes }) => {
      assertEquals(handshake.state, "closed");
      assertEquals(replyBytes.length, 0);
    },
  );
}

Deno.test("Handshake.advance() leaves what follows GO to the transmission phase", () => {
  const requests = Uint8Array.of(1, 2, 3, 4, 5);
  const bytes = joined([HELLO, option(Option.Go, infoData("")), requests]);
  assertEquals(new Client().feed(bytes).pending, requests);
});

Deno.test("Handshake.advance() ends a connection that never stops asking", () => {
  const client = new Client().feed(HELLO);
  const list = option(Option.List);
  let asked = 0;
  while (client.isOpen && asked < 5000) {
    client.feed(list);
    asked++;
  }
  assertEquals(client.handshake.state, "closed");
  assert(asked > 100, "a real client may ask a few things");
});

/** A mixture of sense and nonsense. */
const CONVERSATION = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.tuple(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 40 }))
      .map(([type, data]) => option(type, data)),
    fc.tuple(fc.constantFrom(6, 7), fc.string({ maxLength: 4 }), fc.array(fc.nat(9)))
      .map(([type, name, requests]) => option(type, infoData(name, requests))),
    fc.tuple(fc.nat(12), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
      .map(([type, length]) => optionHead(type, length)),
  ),
  { maxLength: 20 },
);

Deno.test("Handshake.advance() survives every conversation and answers little", () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      CONVERSATION,
      fc.integer({ min: 1, max: 50 }),
      (flags, parts, pieceBytes) => {
        const bytes = joined([flags === undefined ? new Uint8Array() : u32(flags), ...parts]);
        const client = new Client().feed(bytes, pieceBytes);
        // At most the answer to GO for each option head of 16 bytes.
        assertLess(client.replyBytes.length, 134 + 10 * bytes.length);
        assert(client.pending.length <= bytes.length);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("Handshake.advance() comes to the same end however the bytes are cut", () => {
  fc.assert(
    fc.property(CONVERSATION, fc.integer({ min: 1, max: 50 }), (parts, pieceBytes) => {
      const bytes = joined([HELLO, ...parts]);
      const whole = new Client().feed(bytes);
      const cut = new Client().feed(bytes, pieceBytes);
      assertEquals(cut.handshake.state, whole.handshake.state);
      assertEquals(cut.replyBytes, whole.replyBytes);
    }),
    { numRuns: 1000 },
  );
});

conversation(
  "Handshake.advance() agrees to structured replies, and then speaks of fragments",
  joined([HELLO, option(Option.Info, infoData("")), STRUCTURED, option(Option.Go, infoData(""))]),
  ({ handshake, replies }) => {
    assertEquals([handshake.state, handshake.structured], ["transmission", true]);
    assertEquals(handshake.blockStatus, false);
    const flags = replies.filter(({ data }) => data.length === 12).map(({ data }) =>
      data.slice(10)
    );
    assertEquals(flags, [u16(0x1234), u16(0x1234 | TransmissionFlag.SendDontFragment)]);
  },
);

conversation(
  "Handshake.advance() agrees to structured replies for the oldest way to ask, too",
  joined([HELLO, STRUCTURED, option(Option.ExportName)]),
  ({ handshake, replyBytes }) => {
    assertEquals([handshake.state, handshake.structured], ["transmission", true]);
    assertEquals(replyBytes.slice(-2), u16(0x1234 | TransmissionFlag.SendDontFragment));
  },
);

conversation(
  "Handshake.advance() selects base:allocation among other contexts",
  joined([
    HELLO,
    STRUCTURED,
    option(Option.SetMetaContext, contextData("", ["qemu:x", "base:allocation", "base:"])),
    option(Option.Go, infoData("")),
  ]),
  ({ handshake, replies }) => {
    assertEquals(handshake.blockStatus, true);
    const [, context, ack] = replies;
    assertEquals(context?.type, OptionReply.MetaContext);
    assertEquals(context?.data, joined([u32(1), new TextEncoder().encode("base:allocation")]));
    assertEquals(ack?.type, OptionReply.Ack);
  },
);

for (
  const [what, queries, listed] of [
    ["every context where none is named", [], true],
    ["the contexts of a namespace", ["base:"], true],
    ["the context that is named", ["base:allocation"], true],
    ["nothing it does not know", ["base:alloc", "qemu:dirty-bitmap:x", ""], false],
  ] as const
) {
  conversation(
    `Handshake.advance() lists ${what}, and selects nothing by that`,
    joined([HELLO, STRUCTURED, option(Option.ListMetaContext, contextData("", queries))]),
    ({ handshake, replyTypes }) => {
      const found = listed ? [OptionReply.MetaContext] : [];
      assertEquals(replyTypes, [OptionReply.Ack, ...found, OptionReply.Ack]);
      assertEquals([handshake.blockStatus, handshake.state], [false, "options"]);
    },
  );
}

for (
  const [what, second] of [
    ["a selection of nothing", contextData("", [])],
    ["a wildcard", contextData("", ["base:"])],
    ["another export's", contextData("disk", ["base:allocation"])],
    ["a damaged one", Uint8Array.of(0, 0)],
  ] as const
) {
  conversation(
    `Handshake.advance() forgets a selection when the next one is ${what}`,
    joined([
      HELLO,
      STRUCTURED,
      option(Option.SetMetaContext, contextData("", ["base:allocation"])),
      option(Option.SetMetaContext, second),
    ]),
    ({ handshake }) => assertEquals(handshake.blockStatus, false),
  );
}

conversation(
  "Handshake.advance() refuses contexts before structured replies, and lengths that do not fit",
  joined([
    HELLO,
    option(Option.SetMetaContext, contextData("", ["base:allocation"])),
    option(Option.ListMetaContext, contextData("", [])),
    STRUCTURED,
    ...[
      new Uint8Array(),
      u32(0),
      u32(0xffffffff),
      joined([u32(0), u32(1)]),
      joined([u32(0), u32(0xffffffff)]),
      joined([u32(0), u32(1), u32(5), u16(0)]),
      joined([contextData("", ["base:allocation"]), u16(0)]),
      contextData("", ["x".repeat(4097)]),
    ].map((data) => option(Option.SetMetaContext, data)),
    option(Option.StructuredReply, Uint8Array.of(1)),
  ]),
  ({ handshake, replyTypes }) => {
    const { ErrInvalid, Ack } = OptionReply;
    const expected = [ErrInvalid, ErrInvalid, Ack, ...Array(9).fill(ErrInvalid)];
    assertEquals(replyTypes, expected);
    assertEquals([handshake.state, handshake.blockStatus], ["options", false]);
  },
);
