// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { NotedOrders } from "../../../src/daemon/control/noted_orders.ts";

/** What several daemons have, one after the other. */
const memory = (): { bytes: Uint8Array<ArrayBuffer> } => ({ bytes: new Uint8Array(64) });

Deno.test("NotedOrders: the next daemon knows whether what a killed one was told is done", () => {
  const kept = memory();
  assertEquals(new NotedOrders(kept).begin(7, 10), false);
  assertEquals(new NotedOrders(kept).begin(7, 10), false, "killed before");
  assertEquals(new NotedOrders(kept).begin(8, 10), false, "another one");
  assertEquals(new NotedOrders(kept).begin(7, 11), true, "killed after");
});

Deno.test("NotedOrders: what is answered is forgotten, and leaves room for others", () => {
  const orders = new NotedOrders(memory());
  for (let id = 1; id < 20; id++) {
    assertEquals(orders.begin(id, id), false);
    orders.end(id);
  }
  assertEquals(orders.begin(1, 2), false);
  for (let id = 30; id < 50; id++) assertEquals(orders.begin(id, id), false, "never answered");
  assertEquals(orders.begin(49, 50), true);
});
