/**
 * Images whose tables lead to each other over and over: checking reads no part of the file more than a
 * few times.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { libc, openLibc } from "../../../../src/sys/libc.ts";
import { TempDirectory } from "../../../support/tools.ts";

openLibc();

const CLUSTER = 64 * 1024;
const L1_ENTRIES = 32 * 1024 * 1024 / 8;
const L1_CLUSTERS = L1_ENTRIES * 8 / CLUSTER;
const SNAPSHOTS = 65536;
const SNAPSHOT_BYTES = 56;

/** Where things are, in clusters. */
const Place = { refcountTable: 1, block: 2, l2: 3, l1: 4, snapshots: 4 + L1_CLUSTERS } as const;

/** Every L1 entry leads to the same L2 table, whose entries all lead to one cluster. */
function circularImage(path: string): void {
  const clusters = Place.snapshots + SNAPSHOTS * SNAPSHOT_BYTES / CLUSTER;
  const bytes = new Uint8Array(clusters * CLUSTER);
  const view = new DataView(bytes.buffer);
  const set64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value));
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, 3);
  view.setUint32(20, 16);
  set64(24, L1_ENTRIES * CLUSTER * 8192);
  view.setUint32(36, L1_ENTRIES);
  set64(40, Place.l1 * CLUSTER);
  set64(48, Place.refcountTable * CLUSTER);
  view.setUint32(56, 1);
  view.setUint32(60, SNAPSHOTS);
  set64(64, Place.snapshots * CLUSTER);
  view.setUint32(96, 4);
  view.setUint32(100, 104);
  set64(Place.refcountTable * CLUSTER, Place.block * CLUSTER);
  for (let at = 0; at < CLUSTER; at += 8) set64(Place.l2 * CLUSTER + at, Place.l1 * CLUSTER);
  for (let n = 0; n < L1_ENTRIES; n++) set64(Place.l1 * CLUSTER + n * 8, Place.l2 * CLUSTER);
  for (let n = 0; n < SNAPSHOTS; n++) {
    const at = Place.snapshots * CLUSTER + n * SNAPSHOT_BYTES;
    set64(at, (Place.l1 + n % L1_CLUSTERS) * CLUSTER);
    view.setUint32(at + 8, L1_ENTRIES);
    view.setUint32(at + 36, 16);
  }
  Deno.writeFileSync(path, bytes);
}

Deno.test("checkQcow() reads little of an image that leads in circles", () => {
  using folder = new TempDirectory();
  const path = folder.file("image");
  circularImage(path);
  let readBytes = 0;
  const pread: ReturnType<typeof libc>["pread"] = (fd, address, count, offset) => {
    const done = libc().pread(fd, address, count, offset);
    readBytes += done;
    return done;
  };
  const calls = { ...libc(), pread };
  using file = new ImageFile(openFile(path, O_RDONLY), path, { calls });
  const lines: string[] = [];
  const result = checkQcow(file, { repair: "none", report: (line) => lines.push(line) });
  assertGreater(result.corruptions, L1_ENTRIES);
  assertLess(readBytes, 5 * file.sizeBytes);
  assertEquals(lines.length, 101);
});
