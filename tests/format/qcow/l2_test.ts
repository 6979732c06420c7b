// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Cluster, EntryDecoder } from "../../../src/format/qcow/l2.ts";

function halves(entry: bigint): [high: number, low: number] {
  return [Number(entry >> 32n), Number(entry & 0xffffffffn)];
}

const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;

Deno.test("EntryDecoder.kindOf() tells the kinds of clusters apart", () => {
  const decoder = new EntryDecoder({
    version: 3,
    clusterBits: 16,
    extendedL2: false,
    hasDataFile: false,
  });
  const kindOf = (entry: bigint): Cluster => decoder.kindOf(...halves(entry));
  assertEquals(kindOf(0n), Cluster.Unallocated);
  assertEquals(kindOf(1n), Cluster.Zero);
  assertEquals(kindOf(0x50000n | COPIED | 1n), Cluster.Zero);
  assertEquals(kindOf(0x50000n | COPIED), Cluster.Normal);
  assertEquals(kindOf(1n << 55n), Cluster.Normal);
  assertEquals(kindOf(0x51234n | COMPRESSED), Cluster.Compressed);
  assertEquals(kindOf(0x51000n | COPIED), Cluster.Damaged);
  assertEquals(kindOf(0x51001n), Cluster.Damaged);
});

Deno.test("EntryDecoder.kindOf() ignores reserved bits, as qemu does", () => {
  const decoder = new EntryDecoder({
    version: 3,
    clusterBits: 16,
    extendedL2: false,
    hasDataFile: false,
  });
  const reserved = 0x3f00_0000_0000_01fen;
  assertEquals(decoder.kindOf(...halves(reserved)), Cluster.Unallocated);
  assertEquals(decoder.kindOf(...halves(reserved | 0x50000n)), Cluster.Normal);
  assertEquals(decoder.hostOffset(...halves(reserved | 0x50000n)), 0x50000);
});

Deno.test("EntryDecoder.kindOf() takes a zero flag in version 2 for damage, as qemu does", () => {
  const decoder = new EntryDecoder({
    version: 2,
    clusterBits: 16,
    extendedL2: false,
    hasDataFile: false,
  });
  assertEquals(decoder.kindOf(0, 1), Cluster.Damaged);
  assertEquals(decoder.kindOf(0, 0x50001), Cluster.Damaged);
});

Deno.test("EntryDecoder.kindOf() knows no zero flag in extended entries, as qemu does", () => {
  const decoder = new EntryDecoder({
    version: 3,
    clusterBits: 16,
    extendedL2: true,
    hasDataFile: false,
  });
  assertEquals(decoder.kindOf(0, 1), Cluster.Unallocated);
  assertEquals(decoder.kindOf(0, 0x50001), Cluster.Normal);
  assertEquals(decoder.kindOf(0, 0x51001), Cluster.Damaged);
});

Deno.test("EntryDecoder decodes offsets and lengths of any entry as the specification says", () => {
  const entries = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(fc.property(fc.integer({ min: 9, max: 21 }), entries, (clusterBits, entry) => {
    const decoder = new EntryDecoder({
      version: 3,
      clusterBits,
      extendedL2: false,
      hasDataFile: false,
    });
    assertEquals(
      decoder.hostOffset(...halves(entry)),
      Number(entry & 0x00ff_ffff_ffff_fe00n),
    );
    const x = BigInt(62 - (clusterBits - 8));
    const offset = entry & (2n ** x - 1n);
    const sectors = (entry >> x) & (2n ** (62n - x) - 1n);
    assertEquals(decoder.compressedOffset(...halves(entry)), Number(offset));
    assertEquals(
      decoder.compressedBytes(...halves(entry)),
      Number((sectors + 1n) * 512n - offset % 512n),
    );
  }));
});
