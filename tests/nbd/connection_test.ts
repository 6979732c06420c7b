// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { Connection } from "../../src/nbd/connection.ts";
import { EAGAIN } from "../../src/sys/errno.ts";
import { lastErrno, libc } from "../../src/sys/libc.ts";
import { cString, IoBuffer } from "../../src/sys/memory.ts";
import { MSG_DONTWAIT, streamPair } from "../../src/sys/sockets.ts";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "./served_image.ts";
import { TestClient } from "./wire.ts";

const MIB = 1024 * 1024;

/** A connection and the other end of its socket. */
class Pair implements Disposable {
  readonly #ends = streamPair();
  readonly connection = new Connection(this.#ends[0].number);
  readonly client = new TestClient(this.#ends[1].number);

  hangUp(): void {
    this.#ends[1].close();
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends) end.close();
  }
}

function received({ input: { buffer, start, end } }: Connection): Uint8Array {
  return buffer.bytes.slice(start, end);
}

Deno.test("Connection.receive() notices that the other end has been closed", () => {
  using pair = new Pair();
  const { connection } = pair;
  assertFalse(connection.receive());
  assertFalse(connection.peerGone);
  pair.hangUp();
  assertFalse(connection.receive());
  assertEquals([connection.inputEnded, connection.peerGone], [true, true]);
});

Deno.test("Connection.receive() keeps what is not taken", () => {
  using pair = new Pair();
  const { connection, client } = pair;
  assertFalse(connection.receive());
  client.queue(Uint8Array.of(1, 2, 3));
  client.move();
  assert(connection.receive());
  connection.input.take(1);
  client.queue(Uint8Array.of(4));
  client.move();
  assert(connection.receive());
  assertEquals(received(connection), Uint8Array.of(2, 3, 4));
  connection.input.take(3);
  assertEquals([connection.input.start, connection.input.end], [0, 0]);
});

Deno.test("Connection.receive() takes in no more than some short messages", () => {
  using pair = new Pair();
  const { connection, client } = pair;
  client.queue(seededBytes(MIB, 1));
  const size = 288 * 1024;
  for (let turn = 0; turn < 100; turn++) {
    client.move();
    connection.receive();
  }
  assertEquals(connection.input.pending, size);
  assertFalse(connection.broken);
  connection.input.take(1000);
  connection.receive();
  assertEquals(connection.input.pending, size);
  assert(sameBytes(received(connection), seededBytes(MIB, 1).subarray(1000, 1000 + size)));
});

Deno.test("Connection.expect() makes room for one longer message, and take() gives it back", () => {
  using pair = new Pair();
  const { connection, client } = pair;
  const usual = connection.input.buffer.size;
  const message = seededBytes(usual + MIB, 2);
  client.queue(Uint8Array.of(9, 9, 9), message);
  client.move();
  connection.receive();
  connection.input.take(3);
  connection.expect(message.length);
  for (let turn = 0; connection.input.pending < message.length && turn < 1000; turn++) {
    client.move();
    connection.receive();
  }
  assert(sameBytes(received(connection), message));
  connection.input.take(message.length);
  assertEquals(connection.input.buffer.size, usual);
});

Deno.test("Connection.receive() notices the end of the input, and breaks with an error", () => {
  using pair = new Pair();
  pair.hangUp();
  assertFalse(pair.connection.receive());
  assert(pair.connection.inputEnded);
  const broken = new Connection(-1);
  assertFalse(broken.receive());
  assert(broken.broken);
});

/** Has the runtime make a call that fails between `name`, once, and the look at errno. */
function disturbOnce(name: "recv" | "send"): Disposable {
  const calls: { -readonly [K in typeof name]: (...args: never[]) => number } = libc();
  const call = calls[name];
  calls[name] = (...args) => {
    calls[name] = call;
    const result = call(...args);
    libc().rmdir(cString("/nowhere/to/be/found"));
    return result;
  };
  return { [Symbol.dispose]: () => void (calls[name] = call) };
}

Deno.test("A connection does not break by what another call has left in errno", () => {
  using pair = new Pair();
  const { connection, client } = pair;
  {
    using _disturbed = disturbOnce("recv");
    assertFalse(connection.receive());
    assertEquals(lastErrno(), EAGAIN);
  }
  assertFalse(connection.broken);
  connection.push(new Uint8Array(8 * MIB));
  assertFalse(connection.send());
  {
    using _disturbed = disturbOnce("send");
    assertFalse(connection.send());
  }
  assertFalse(connection.broken);
  client.queue(Uint8Array.of(1));
  client.move();
  assert(connection.receive());
});

Deno.test("Connection.send() breaks where nobody listens any more", () => {
  using pair = new Pair();
  pair.hangUp();
  pair.connection.push(Uint8Array.of(1));
  assert(pair.connection.send());
  assert(pair.connection.broken);
  assertFalse(pair.connection.hasUnsent);
});

Deno.test("Connection.reserve() has no room until the client reads", () => {
  using pair = new Pair();
  const { connection, client } = pair;
  client.reads = false;
  const expected: Uint8Array[] = [];
  let place = connection.reserve(MIB);
  for (; place >= 0 && expected.length < 20; place = connection.reserve(MIB)) {
    const part = seededBytes(MIB, expected.length);
    connection.output.buffer.bytes.set(part, place);
    connection.commit(MIB);
    expected.push(part);
  }
  assertEquals(place, -1);
  assertEquals(expected.length, 4);
  client.reads = true;
  for (let turn = 0; turn < 100; turn++) {
    client.move();
    connection.send();
  }
  assertFalse(connection.hasUnsent);
  assertEquals(connection.reserve(MIB), 0);
  expected.forEach((part, n) =>
    assert(sameBytes(client.unparsed.subarray(n * MIB, (n + 1) * MIB), part))
  );
});

Deno.test("Connection.reserve() finds room for one reply longer than the buffer", () => {
  using pair = new Pair();
  const usual = pair.connection.output.buffer.size;
  assertEquals(pair.connection.reserve(usual + 1), 0);
  pair.connection.output.buffer.bytes[usual] = 7;
  pair.connection.commit(usual + 1);
  for (let turn = 0; turn < 100; turn++) {
    pair.connection.send();
    pair.client.move();
  }
  assertEquals(pair.client.unparsed.length, usual + 1);
  assertEquals(pair.client.unparsed[usual], 7);
  assertEquals(pair.connection.output.buffer.size, usual);
});

Deno.test("Connection.isOver waits for the answers of those who wait", () => {
  using pair = new Pair();
  const { connection } = pair;
  connection.waiting = 1;
  connection.finishing = true;
  assertFalse(connection.takesInput);
  assertFalse(connection.isOver);
  connection.waiting = 0;
  connection.commit(1);
  assertFalse(connection.isOver);
  connection.send();
  assert(connection.isOver);
});

Deno.test("Connection.close() closes the socket", () => {
  const [ours, theirs] = streamPair();
  new Connection(ours.release()).close();
  const buffer = new IoBuffer(1);
  assertEquals(libc().recv(theirs.number, buffer.address, 1, MSG_DONTWAIT), 0);
  theirs.close();
});
