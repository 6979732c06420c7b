/**
 * Snapshots of an image in use whose header could not be made to say that its bitmaps are valid: they are
 * still to be stored, so that their clusters must not become free.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { HEADER, HEADER_V3 } from "../../../../src/format/qcow/layout.ts";
import { EIO, SystemError } from "../../../../src/sys/errno.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { Recording } from "../write/recording.ts";
import { WritableDisk } from "../write/writable_disk.ts";

const AUTOCLEAR_AT = HEADER.sizeBytes + HEADER_V3.offsets.autoclear_features;
const SIZE = 1024 * 1024;
const CLUSTER_BYTES = 4096;

oracleTest("a snapshot frees no bitmap that is still to be stored", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const path = `${folder.path}/i.qcow2`;
  const options = `cluster_size=${CLUSTER_BYTES}`;
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, `${SIZE}`);
  await must("qemu-img", "bitmap", "--add", path, "enabled");
  await must("qemu-img", "bitmap", "--add", "--disable", path, "disabled");
  const recording = new Recording();
  const disk = new WritableDisk(path, { file: recording.open(path) });
  disk.write(0, new Uint8Array(CLUSTER_BYTES).fill(1));
  assert(disk.flush());
  let writes = 0;
  // The mark is taken off, and then cannot be put on again.
  recording.fault = (call, offset) =>
    call === "pwrite" && offset === AUTOCLEAR_AT && ++writes === 2 ? EIO : 0;
  assertThrows(() => disk.apply({ kind: "grow", sizeBytes: 2 * SIZE }), SystemError);
  recording.fault = () => 0;
  const snapshot = { kind: "snapshot", change: { action: "create", name: "one" } } as const;
  assertThrows(() => disk.apply(snapshot), SystemError);
  // What looks like tables of bitmaps that are empty.
  const bytes = new Uint8Array(SIZE).map((_, at) => at % CLUSTER_BYTES < 64 ? 0 : 7);
  disk.write(0, bytes);
  assert(disk.flush());
  assert(disk.close());
  using again = new WritableDisk(path);
  assert(sameBytes(again.read(0, SIZE), bytes));
  again[Symbol.dispose]();
  assertEquals(await must("qemu-img", "check", "-q", path), "");
});
