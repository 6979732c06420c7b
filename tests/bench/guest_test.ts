// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { insmodPaths } from "./guest.ts";

Deno.test("insmodPaths() keeps the order, each file once, without what is built in", () => {
  const listing = `builtin pci
insmod /k/virtio.ko 
insmod /k/9pnet.ko 
insmod /k/virtio.ko 
insmod /k/nbd.ko max_part=15
`;
  assertEquals(insmodPaths(listing), ["/k/virtio.ko", "/k/9pnet.ko", "/k/nbd.ko"]);
});
