// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Run } from "../../src/disk/runs.ts";
import { seekDisk } from "../support/disk.ts";
import { qcow } from "../../src/format/qcow/mod.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { DiskMap } from "../../src/disk/disk_map.ts";
import { OpenedImage, openImageFile } from "../format/opened_image.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const KIB = 1024;

/** A file of 1 MiB, with data only from 128 to 192 KiB, and after its last hole. */
function makeHoles(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  file.truncateSync(1024 * KIB);
  for (const at of [128 * KIB, 1020 * KIB]) {
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(at === 128 * KIB ? 64 * KIB : 4 * KIB).fill(1));
  }
  file.syncSync();
}

/** Runs as text: kind, start and length in KiB. */
function mapText(opened: OpenedImage): string[] {
  return [...new DiskMap(opened.access)].map(({ start, lengthBytes, isData, isZero }) =>
    `${isData ? "data" : "hole"}${isZero ? "+zero" : ""} ${start / KIB} ${lengthBytes / KIB}`
  );
}

/** What there is, wherever it lies: tables may come in between. */
function kinds(opened: OpenedImage): Set<string | undefined> {
  return new Set(mapText(opened).map((text) => text.split(" ")[0]));
}

Deno.test("ImageFile.storedBytes() tells holes from data, and how far they reach", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  makeHoles(path);
  using file = openImageFile(path);
  const ask = (from: number, length: number): number =>
    file.storedBytes(from * KIB, length * KIB) / KIB;
  assertEquals(ask(0, 1024), -128);
  assertEquals(ask(64, 32), -32);
  assertEquals(ask(130, 1024), 62);
  assertEquals(ask(192, 1024), -828);
  assertEquals(ask(1020, 4), 4);
  assertEquals(ask(1024, 8), -8);
});

Deno.test("findRun() asks for no holes where that might take long, and may not", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  makeHoles(path);
  using opened = new OpenedImage(path, raw);
  Object.defineProperty(opened.file, "cacheKnowledge", { value: "unknown" });
  const run = new Run();
  for (const mayWait of [true, false]) {
    run.attempt.mayWait = mayWait;
    assert(opened.access.findRun(0, 1024 * KIB, run));
    assertEquals([run.isZero, run.lengthBytes / KIB], mayWait ? [true, 128] : [false, 1024]);
  }
});

Deno.test("DiskMap finds the holes of a raw image", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  makeHoles(path);
  using opened = new OpenedImage(path, raw);
  const expected = ["hole+zero 0 128", "data 128 64", "hole+zero 192 828", "data 1020 4"];
  assertEquals(mapText(opened), expected);
  assertEquals(seekDisk(opened.access, 0, "data"), 128 * KIB);
  assertEquals(seekDisk(opened.access, 130 * KIB, "hole"), 192 * KIB);
});

oracleTest(
  "DiskMap asks the file where clusters were allocated in advance, and only there",
  ["qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.qcow2");
    const create = ["create", "-q", "-f", "qcow2", "-o"];
    for (const [bits, clusterBytes] of [[1, 4096], [16, 4096], [64, 65536]]) {
      const options = `preallocation=metadata,refcount_bits=${bits},cluster_size=${clusterBytes}`;
      await must("qemu-img", ...create, options, path, "4M");
      using opened = new OpenedImage(path, qcow);
      assertEquals(kinds(opened), new Set(["data+zero"]));
    }
    await must("qemu-img", ...create, "cluster_size=65536", path, "4M");
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 4M", path);
    using opened = new OpenedImage(path, qcow);
    assertEquals(kinds(opened), new Set(["data"]));
  },
);
