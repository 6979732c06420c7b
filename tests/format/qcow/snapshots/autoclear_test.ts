/**
 * What the header says of features that not every writer keeps up, when snapshots are changed.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { HEADER, HEADER_V3 } from "../../../../src/format/qcow/layout.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { change } from "./prepared.ts";

const AUTOCLEAR_AT = HEADER.sizeBytes + HEADER_V3.offsets.autoclear_features;
const BITMAPS = 1n;
const UNKNOWN = 1n << 40n;

/** An image with a feature that nobody knows, and with what `options` say. */
async function imageWithFeatures(folder: TempDirectory, options: string): Promise<string> {
  const path = `${folder.path}/i.qcow2`;
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M");
  await must("qemu-img", "bitmap", "--add", path, "b");
  using file = Deno.openSync(path, { read: true, write: true });
  file.seekSync(AUTOCLEAR_AT, Deno.SeekMode.Start);
  const field = new Uint8Array(8);
  new DataView(field.buffer).setBigUint64(0, BITMAPS | UNKNOWN);
  file.writeSync(field);
  return path;
}

function autoclear(path: string): bigint {
  return new DataView(Deno.readFileSync(path).buffer).getBigUint64(AUTOCLEAR_AT);
}

oracleTest(
  "a change that is refused leaves an image as it is",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const path = await imageWithFeatures(folder, "refcount_bits=1");
    const bytes = Deno.readFileSync(path);
    assertThrows(() => change(path, { action: "create", name: "one" }), RangeError, "bits");
    assertEquals(Deno.readFileSync(path).slice(0, 512), bytes.slice(0, 512));
    assertEquals(Deno.statSync(path).size, bytes.length);
  },
);

oracleTest(
  "a snapshot ends features that are not known, and keeps bitmaps",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const path = await imageWithFeatures(folder, "refcount_bits=16");
    change(path, { action: "create", name: "one" });
    assertEquals(autoclear(path), BITMAPS);
  },
);
