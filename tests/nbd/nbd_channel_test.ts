// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { NbdChannel } from "../../src/nbd/nbd_channel.ts";
import { Command, Option, OPTION_MAGIC } from "../../src/nbd/protocol.ts";
import { type Fd } from "../../src/sys/files.ts";
import { libc } from "../../src/sys/libc.ts";
import { POLLIN, POLLOUT } from "../../src/sys/poll.ts";
import { streamPair } from "../../src/sys/sockets.ts";
import { ServedImage } from "./served_image.ts";
import { joined } from "../../src/sys/joined.ts";
import { encodeRequest, TestClient } from "./wire.ts";

const MIB = 1024 * 1024;
/** Number of shutdown(2). */
const SHUTDOWN = Deno.build.arch === "x86_64" ? 48 : 210;
const EXPORT = { sizeBytes: MIB, flags: 3, minimumBlockBytes: 1, preferredBlockBytes: 4096 };

/** A channel, the other end of its socket, and the image behind it. */
class Fixture implements Disposable {
  readonly image = new ServedImage({ sizeBytes: MIB });
  readonly #ends = streamPair();
  readonly client: TestClient;
  readonly channel: NbdChannel;

  constructor(options: { readonly greeted: boolean }) {
    const [ours, theirs] = this.#ends;
    this.client = new TestClient(theirs.number);
    const greeted = options.greeted ? EXPORT : undefined;
    this.channel = new NbdChannel(ours.number, this.image.executor, { greeted });
  }

  get clientEnd(): Fd {
    return this.#ends[1];
  }

  turns(count = 20): void {
    for (let turn = 0; turn < count; turn++) {
      this.client.move();
      this.channel.serve();
    }
    this.client.move();
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends) end.close();
    this.image[Symbol.dispose]();
  }
}

/** Client flags, then an option without data or with an empty export name. */
function opening(option: number): Uint8Array {
  const data = option === Option.Go ? 6 : 0;
  const bytes = new Uint8Array(4 + 16 + data);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 3);
  view.setUint32(4, OPTION_MAGIC[0]);
  view.setUint32(8, OPTION_MAGIC[1]);
  view.setUint32(12, option);
  view.setUint32(16, data);
  return bytes;
}

Deno.test("NbdChannel greets, and serves requests that come right behind the handshake", () => {
  using fixture = new Fixture({ greeted: true });
  const { client, image: { image } } = fixture;
  const read = { command: Command.Read, cookie: 5n, offset: 100, length: 50 };
  client.queue(joined([opening(Option.ExportName), encodeRequest(read)]));
  fixture.turns();
  const greetingBytes = 18;
  const exportBytes = 10;
  const received = client.unparsed;
  assertEquals(new TextDecoder().decode(received.subarray(0, 8)), "NBDMAGIC");
  const data = received.slice(greetingBytes + exportBytes + 16);
  assertEquals(data, image.model.slice(100, 150));
});

Deno.test("NbdChannel ends after an ABORT, with the acknowledgement sent", () => {
  using fixture = new Fixture({ greeted: true });
  fixture.client.queue(opening(Option.Abort));
  fixture.turns();
  assertEquals(fixture.client.unparsed.length, 18 + 20);
  assert(fixture.channel.isOver);
});

Deno.test("NbdChannel says nothing to the kernel before it is asked", () => {
  using fixture = new Fixture({ greeted: false });
  fixture.turns();
  assertEquals(fixture.client.unparsed.length, 0);
  fixture.client.ask({ command: Command.Read, cookie: 1n, length: 16 });
  fixture.turns();
  assertEquals(fixture.client.take(1n).data, fixture.image.image.model.slice(0, 16));
});

Deno.test("NbdChannel.events asks for room to send, for input, or for nothing", () => {
  using fixture = new Fixture({ greeted: false });
  const { channel, client } = fixture;
  assertEquals(channel.events, POLLIN);
  client.reads = false;
  for (let n = 0n; n < 8n; n++) client.ask({ command: Command.Read, cookie: n, length: MIB });
  fixture.turns();
  assertEquals(channel.events, POLLOUT);
  client.reads = true;
  fixture.turns(200);
  assertEquals(channel.events, POLLIN);
  assertEquals(client.replies.length, 8);
  channel.finish();
  channel.serve();
  assertEquals(channel.events, 0);
});

Deno.test("NbdChannel.finish() ends it when everything that waits is answered", () => {
  using fixture = new Fixture({ greeted: false });
  const { channel, client, image } = fixture;
  client.ask({ command: Command.Flush, cookie: 1n }, { command: Command.Read, cookie: 2n });
  client.move();
  channel.serve();
  channel.finish();
  client.ask({ command: Command.Read, cookie: 3n, length: 1 });
  assertFalse(channel.isOver);
  image.settle();
  channel.send();
  fixture.turns();
  assert(channel.isOver);
  assertEquals(client.replies.map(({ cookie }) => cookie), [2n, 1n]);
});

Deno.test("NbdChannel is over when its client hangs up", () => {
  using fixture = new Fixture({ greeted: true });
  fixture.clientEnd.close();
  fixture.channel.serve();
  fixture.channel.serve();
  assert(fixture.channel.isOver);
});

Deno.test("NbdChannel answers what a client has asked for that only reads from now on", () => {
  using fixture = new Fixture({ greeted: false });
  const { channel, client } = fixture;
  client.reads = false;
  const requests = Array.from(
    { length: 12 },
    (_, n) => ({ command: Command.Read, cookie: BigInt(n), length: MIB }),
  );
  client.ask(...requests);
  fixture.turns();
  const half = encodeRequest({ command: Command.Read, cookie: 99n, length: 1 }).subarray(0, 20);
  client.queue(half);
  client.move();
  const SHUT_WR = 1;
  libc().syscall(SHUTDOWN, fixture.clientEnd.number, SHUT_WR, 0, 0, 0, 0);
  fixture.turns();
  assertFalse(channel.isOver);
  client.reads = true;
  fixture.turns(500);
  assertEquals(client.replies.length, requests.length);
  assert(channel.isOver);
});

Deno.test("NbdChannel.send() has the loop look again at a client whose requests had no room", () => {
  using fixture = new Fixture({ greeted: false });
  const { channel, client } = fixture;
  channel.idleTurns = 5000;
  channel.send();
  assertEquals(channel.idleTurns, 5000);
  client.reads = false;
  const cookies = Array.from({ length: 8 }, (_, n) => BigInt(n));
  client.ask(...cookies.map((cookie) => ({ command: Command.Read, cookie, length: MIB })));
  fixture.turns();
  channel.idleTurns = 5000;
  channel.send();
  assertEquals(channel.idleTurns, 0);
});

/** Has time pass without waiting for it, until the end of the scope. */
class Clock implements Disposable {
  readonly #now = performance.now;
  #passedMs = 0;

  constructor() {
    performance.now = () => this.#now.call(performance) + this.#passedMs;
  }

  pass(milliseconds: number): void {
    this.#passedMs += milliseconds;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}

Deno.test("NbdChannel hangs up on a client that does not end its handshake", () => {
  using clock = new Clock();
  using fixture = new Fixture({ greeted: true });
  const { channel, image } = fixture;
  fixture.turns();
  clock.pass(59_000);
  fixture.turns();
  assertFalse(channel.isOver);
  assert(channel.deadlineMs < Infinity);
  clock.pass(channel.deadlineMs - performance.now());
  fixture.turns();
  assert(channel.isOver);
  assertEquals(image.logged, ["a client was hung up on: it has not ended its handshake in time"]);
  channel.close();
});

Deno.test("NbdChannel lets a client be silent for as long as it likes after its handshake", () => {
  using clock = new Clock();
  using fixture = new Fixture({ greeted: true });
  const { channel, client } = fixture;
  client.queue(opening(Option.Go));
  fixture.turns();
  assertEquals(channel.deadlineMs, Infinity);
  clock.pass(1e9);
  fixture.turns();
  assertFalse(channel.isOver);
  channel.close();
});
