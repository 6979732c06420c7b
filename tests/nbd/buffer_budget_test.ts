// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { BufferBudget } from "../../src/nbd/buffer_budget.ts";
import { Claims } from "../../src/nbd/claims.ts";
import { Connection } from "../../src/nbd/connection.ts";
import { streamPair } from "../../src/sys/sockets.ts";
import { TestClient } from "./wire.ts";

const MIB = 1024 * 1024;

/** Connections of one thread, each with its client. */
class Crowd implements Disposable {
  readonly budget = new BufferBudget();
  readonly #pairs;
  readonly connections: readonly Connection[];

  constructor(count: number) {
    this.#pairs = Array.from({ length: count }, () => streamPair());
    this.connections = this.#pairs.map(([ours]) => new Connection(ours.number, this.budget));
  }

  member(index: number): { connection: Connection; client: TestClient } {
    const [connection, pair] = [this.connections[index], this.#pairs[index]];
    if (connection === undefined || pair === undefined) throw new Error("no such member");
    return { connection, client: new TestClient(pair[1].number) };
  }

  [Symbol.dispose](): void {
    for (const end of this.#pairs.flat()) end.close();
  }
}

/** How much a client that does not read makes a connection hold. */
function fill(connection: Connection, partBytes: number): number {
  let filled = 0;
  while (connection.reserve(partBytes) >= 0) {
    connection.commit(partBytes);
    filled += partBytes;
  }
  return filled;
}

Deno.test("many clients that do not read take little more than a few", () => {
  using crowd = new Crowd(100);
  for (const connection of crowd.connections) fill(connection, 32768);
  const unsent = crowd.connections.reduce((sum, { output }) => sum + output.end, 0);
  assert(unsent <= 16 * MIB, `${unsent}`);
  assertEquals(crowd.connections.filter(({ starved }) => starved).length, 0);
});

Deno.test("a long reply waits until others have been read", () => {
  using crowd = new Crowd(3);
  const [first, second] = [crowd.member(0), crowd.member(1)];
  assertEquals(first.connection.reserve(30 * MIB), 0);
  first.connection.commit(30 * MIB);
  assertEquals(second.connection.reserve(30 * MIB), -1);
  assert(second.connection.starved);
  assertFalse(second.connection.takesInput);
  assertEquals(crowd.member(2).connection.reserve(4 * MIB), 0);
  assertFalse(crowd.budget.takeFreed());
  while (!first.connection.send()) first.client.move();
  assert(crowd.budget.takeFreed());
  assertFalse(crowd.budget.takeFreed());
  assertEquals(second.connection.reserve(30 * MIB), 0);
});

Deno.test("a long message waits until others have arrived", () => {
  using crowd = new Crowd(2);
  const [first, second] = crowd.connections;
  first?.expect(30 * MIB);
  second?.expect(30 * MIB);
  assertEquals([first?.starved, second?.starved], [false, true]);
  assertEquals(second?.reserve(30 * MIB), 0);
  first?.input.take(0);
  assert(crowd.budget.takeFreed());
});

Deno.test("who needs much has its turn, though others would take whatever is freed", () => {
  const budget = new BufferBudget();
  const owners = Array.from({ length: 6 }, () => ({}));
  for (const owner of owners) assert(budget.claim("input", 6 * MIB, owner));
  const patient = {};
  assertFalse(budget.claim("input", 32 * MIB, patient));
  let rounds = 0;
  while (!budget.claim("input", 32 * MIB, patient) && rounds < 100) {
    budget.release("input", 6 * MIB);
    assert(budget.takeFreed());
    budget.claim("input", 6 * MIB, owners[rounds++ % owners.length] ?? {});
  }
  assertEquals(rounds, 5);
});

Deno.test("medium messages go on beside long ones that wait for a client that sends nothing", () => {
  const budget = new BufferBudget();
  assert(budget.claim("input", 32 * MIB, {}));
  assertFalse(budget.claim("input", 32 * MIB, {}));
  for (let round = 0; round < 10; round++) {
    const [first, second] = [{}, {}];
    assert(budget.claim("input", 5 * MIB, first));
    assertFalse(budget.claim("input", 6 * MIB, second));
    assertFalse(budget.claim("input", MIB, first));
    budget.release("input", 5 * MIB);
    assert(budget.takeFreed());
    assert(budget.claim("input", 6 * MIB, second));
    assert(budget.takeFreed());
    budget.release("input", 6 * MIB);
    assert(budget.claim("input", MIB, first));
    budget.release("input", MIB);
  }
});

Deno.test("who has gone, or needs no claim any more, is not waited for", () => {
  const budget = new BufferBudget();
  for (let n = 0; n < 10; n++) budget.join();
  const [gone, other] = [{}, {}];
  assert(budget.claim("output", 32 * MIB, {}));
  assertFalse(budget.claim("output", 32 * MIB, gone));
  assertFalse(budget.claim("output", 16 * MIB, other));
  budget.release("output", 32 * MIB);
  assert(budget.takeFreed());
  assertFalse(budget.claim("output", 16 * MIB, other));
  budget.leave(gone);
  assert(budget.takeFreed());
  assert(budget.claim("output", 16 * MIB, other));

  const content = {};
  for (let n = 0; n < 5; n++) assert(budget.claim("input", 8 * MIB, {}));
  assertFalse(budget.claim("input", 3 * MIB, content));
  for (let n = 0; n < 7; n++) budget.leave({});
  budget.release("input", 8 * MIB);
  assert(budget.claim("input", 6 * MIB, other));
});

Deno.test("Claims.hasStalled() is true of who has not gone on for long while others wait", () => {
  const budget = new BufferBudget();
  const [holder, other] = [new Claims(budget), new Claims(budget)];
  const clientsTurn = { input: true, output: true };
  assertEquals(holder.stallsAtMs, Infinity);
  assert(holder.claim("input", 32 * MIB));
  const dueMs = holder.stallsAtMs;
  assert(dueMs < Infinity);
  assertFalse(holder.hasStalled(dueMs, clientsTurn), "nobody waits");
  assertFalse(other.claim("input", 32 * MIB));
  assertFalse(holder.hasStalled(dueMs - 1, clientsTurn), "not yet");
  assertFalse(
    holder.hasStalled(Infinity, { input: false, output: true }),
    "the server has to go on",
  );
  assertFalse(holder.hasStalled(holder.stallsAtMs - 1, clientsTurn), "it has been asked again");
  holder.hasMoved();
  assert(holder.hasStalled(Infinity, clientsTurn));
  holder.close();
  assertEquals(holder.stallsAtMs, Infinity);
  assert(other.claim("input", 32 * MIB));
});
