// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Feature, HEADER } from "../../../src/format/qed/layout.ts";
import { qed } from "../../../src/format/qed/mod.ts";
import type { CheckResult, Repair } from "../../../src/image/checking.ts";
import { oracleTest, run, TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { openForWriting } from "../qcow/write/writable_disk.ts";
import { buildQed, CLUSTER, DATA, L2, place, type QedParts } from "./image_builder.ts";
import { judgeQed } from "./write/checker.ts";

/** qemu opens no image with tables of one cluster: the second one has no entries. */
const TWO_CLUSTERS: NonNullable<QedParts["header"]> = {
  table_size: 2,
  l1_table_offset: BigInt(5 * CLUSTER),
  features: Feature.needCheck,
};

/** An image with tables of two clusters, L1 in the last two ones of those that are stored, and L2 before. */
function buildForQemu(l2: readonly bigint[], l1: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const bytes = buildQed({ header: TWO_CLUSTERS, stored: 6, l1: [], l2: [] });
  bytes.fill(0, 5 * CLUSTER, 9 * CLUSTER);
  const view = new DataView(bytes.buffer);
  for (const [index, entry] of l1.entries()) {
    view.setBigUint64(5 * CLUSTER + 8 * index, entry, true);
  }
  for (const [index, entry] of l2.entries()) {
    view.setBigUint64(7 * CLUSTER + 8 * index, entry, true);
  }
  return bytes;
}

const L2_AT = BigInt(7 * CLUSTER);
const [FIRST, SECOND] = [BigInt(CLUSTER), BigInt(2 * CLUSTER)];
const REST = [BigInt(3 * CLUSTER), BigInt(4 * CLUSTER)];

const CASES: readonly [what: string, l2: readonly bigint[], l1: readonly bigint[]][] = [
  ["nothing", [FIRST, SECOND, ...REST, 1n, 0n], [L2_AT]],
  ["leaks", [SECOND, FIRST], [L2_AT]],
  ["entries that lead out of the file", [FIRST, 1n << 40n, BigInt(9 * CLUSTER), ...REST], [L2_AT]],
  ["an entry that is not aligned", [FIRST, SECOND + 512n, ...REST], [L2_AT]],
  ["an entry that leads into the header", [FIRST, 512n, ...REST], [L2_AT]],
  ["a shared cluster", [FIRST, FIRST, ...REST], [L2_AT]],
  ["a cluster in a table", [FIRST, L2_AT, ...REST], [L2_AT]],
  ["tables that cannot be", [FIRST, SECOND], [L2_AT, 512n, 1n << 62n, BigInt(8 * CLUSTER)]],
];

function check(path: string, repair: Repair): CheckResult | undefined {
  using file = repair === "none" ? openImageFile(path) : openForWriting(path);
  return qed.check?.(file, { repair, report: () => {} });
}

for (const [what, l2, l1] of CASES) {
  oracleTest(`qed finds and repairs what qemu does: ${what}`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const [path, twin] = [folder.file("disk.qed"), folder.file("twin.qed")];
    for (const name of [path, twin]) Deno.writeFileSync(name, buildForQemu(l2, l1));
    for (const repair of ["none", "all"] as const) {
      const words = repair === "none" ? [] : ["-r", "all"];
      const { stdout } = await run(
        "qemu-img",
        "check",
        "-f",
        "qed",
        "--output=json",
        ...words,
        twin,
      );
      const theirs = JSON.parse(stdout);
      const ours = check(path, repair);
      const faults = ["corruptions", "corruptions-fixed"].map((key) => theirs[key] ?? 0);
      assertEquals([ours?.corruptions, ours?.corruptionsFixed], faults);
      if (repair === "all") continue;
      const counts = ["leaks", "total-clusters", "allocated-clusters", "fragmented-clusters"]
        .map((key) => theirs[key] ?? 0);
      assertEquals(
        [ours?.leaks, ours?.totalClusters, ours?.allocatedClusters, ours?.fragmentedClusters],
        counts,
      );
    }
    // qemu takes the mark off even if there is damage left.
    const isMark = (at: number): boolean => at === HEADER.offsets.features;
    const end = Deno.statSync(path).size;
    const theirs = Deno.readFileSync(twin).subarray(0, end);
    const differing = Deno.readFileSync(path).findIndex((byte, index) =>
      !isMark(index) && byte !== theirs[index]
    );
    assertEquals(differing, -1);
  });
}

Deno.test("qed frees clusters at the end of the file that nobody uses", () => {
  for (const repair of ["leaks", "all"] as const) {
    using folder = new TempDirectory();
    const path = folder.file("disk.qed");
    Deno.writeFileSync(path, buildQed({ l2: [place(1)], stored: 6 }));
    const found = check(path, repair);
    assertEquals([found?.leaks, found?.leaksFixed], [1, 4]);
    assertEquals(Deno.statSync(path).size, DATA + 2 * CLUSTER);
  }
});

Deno.test("qed repairs leaks without taking entries out, or the mark off", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qed");
  const header = { features: Feature.needCheck };
  Deno.writeFileSync(path, buildQed({ header, l2: [place(0), 1n << 40n] }));
  assertEquals(check(path, "leaks")?.corruptions, 1);
  const bytes = Deno.readFileSync(path);
  assertEquals(new DataView(bytes.buffer).getBigUint64(L2 + 8, true), 1n << 40n);
  assertEquals(judgeQed(bytes).needsCheck, true);
});
