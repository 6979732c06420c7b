/**
 * LUKS volumes that are written to: qemu finds what has been written, and all else as it was.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ImageFile } from "../../../src/storage/image_file.ts";
import { O_RDWR, openFile } from "../../../src/sys/files.ts";
import { EIO, SystemError } from "../../../src/sys/errno.ts";
import { keyRing } from "../../../src/image/key_ring.ts";
import { libc } from "../../../src/sys/libc.ts";
import type { Libc } from "../../../src/sys/libc_symbols.ts";
import {
  createEncrypted,
  decryptByQemu,
  fillEncrypted,
  rightKeys,
} from "../../support/encrypted.ts";
import { failedWith } from "../../support/faulty_calls.ts";
import { oracleTest, TempDirectory } from "../../support/tools.ts";
import { sameBytes } from "../opened_image.ts";
import { Random, stampedBytes } from "../qcow/write/random_ops.ts";
import { WritableDisk } from "../qcow/write/writable_disk.ts";
import { buildVolume, BUILT_PASSPHRASE } from "./volume_builder.ts";

const TOOLS = ["qemu-img", "qemu-io"] as const;
const KIB = 1024;
const SECTOR_BYTES = 512;
/** The last sector of the file is not whole. */
const DISK_BYTES = 900 * KIB + 3 * SECTOR_BYTES;
const REQUEST = { format: "LUKS" };

/** Two modes, one of which makes vectors out of the key; each costs qemu seconds. */
const CIPHERS = [
  ["cipher-alg=aes-256", "cipher-mode=xts", "ivgen-alg=plain64"],
  ["cipher-alg=aes-128", "cipher-mode=cbc", "ivgen-alg=essiv", "ivgen-hash-alg=sha256"],
];

/** Changes that begin and end anywhere, some of them longer than what is encrypted at once. */
function changeAnywhere(disk: WritableDisk, model: Uint8Array, seed: number): void {
  const random = new Random(seed);
  for (let id = 1; id <= 120; id++) {
    const offset = random.below(model.length);
    const most = Math.min(model.length - offset, random.oneOf([16, 700, 5000, 600 * KIB]));
    const length = 1 + random.below(most);
    switch (random.below(6)) {
      case 0:
        disk.writeZeros(offset, length);
        model.fill(0, offset, offset + length);
        break;
      case 1:
        disk.discard(offset, length);
        break;
      default: {
        const bytes = stampedBytes(offset, length, id);
        disk.write(offset, bytes);
        model.set(bytes, offset);
      }
    }
    if (id % 30 === 0) assert(disk.flush());
  }
}

for (const options of CIPHERS) {
  oracleTest(`luks writes what qemu reads: ${options.join(" ")}`, TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("volume");
    const all = ["key-secret=s", "iter-time=10", ...options];
    await createEncrypted(path, DISK_BYTES, { format: "luks", options: all });
    await fillEncrypted(path, "luks", [`write -P 7 0 ${DISK_BYTES}`]);
    Deno.writeFileSync(path, new Uint8Array(100).fill(3), { append: true });
    const before = Deno.readFileSync(path);
    const disk = new WritableDisk(path, { keys: rightKeys(), request: REQUEST });
    assertEquals(disk.sizeBytes, DISK_BYTES);
    const model = new Uint8Array(DISK_BYTES).fill(7);
    changeAnywhere(disk, model, 4);
    assert(sameBytes(disk.read(0, DISK_BYTES), model), "read back");
    assert(disk.close());
    const after = Deno.readFileSync(path);
    assertEquals(after.length, before.length);
    const start = before.length - 100 - DISK_BYTES;
    assert(sameBytes(after.subarray(0, start), before.subarray(0, start)), "header and keys");
    assert(sameBytes(after.subarray(-100), before.subarray(-100)), "behind the disk");
    await decryptByQemu(path, "luks", folder.file("raw"));
    // Of a sector that is not whole, qemu makes a whole one.
    const raw = Deno.readFileSync(folder.file("raw")).subarray(0, DISK_BYTES);
    assert(sameBytes(raw, model), "qemu reads other bytes");
  });
}

/** A volume of three sectors, each of whose bytes is 65, open for writing. */
function openBuilt(folder: TempDirectory, calls: Libc = libc()): WritableDisk {
  const path = folder.file("built");
  Deno.writeFileSync(path, buildVolume());
  const file = new ImageFile(openFile(path, O_RDWR), path, { calls });
  return new WritableDisk(path, { file, keys: keyRing(BUILT_PASSPHRASE), request: REQUEST });
}

Deno.test("luks writes zeros encrypted, and lets a discard be", () => {
  using folder = new TempDirectory();
  const calls: Libc = {
    ...libc(),
    fallocate: () => {
      throw new Error("a hole decrypts to noise");
    },
  };
  using disk = openBuilt(folder, calls);
  disk.writeZeros(100, 900);
  disk.discard(1024, 512);
  const expected = new Uint8Array(3 * SECTOR_BYTES).fill(65).fill(0, 100, 1000);
  assertEquals(disk.read(0, expected.length), expected);
  const stored = Deno.readFileSync(disk.access.path).subarray(-3 * SECTOR_BYTES, -SECTOR_BYTES);
  assert(stored.subarray(0, SECTOR_BYTES).some((byte) => byte !== 0));
  assert(stored.subarray(SECTOR_BYTES).some((byte) => byte !== 0));
});

Deno.test("luks writes no part of a sector whose rest it cannot read", () => {
  using folder = new TempDirectory();
  let isBroken = false;
  const calls: Libc = {
    ...libc(),
    pread: (...args) => isBroken ? failedWith(EIO) : libc().pread(...args),
    preadv2: (...args) => isBroken ? failedWith(EIO) : libc().preadv2(...args),
  };
  using disk = openBuilt(folder, calls);
  const before = Deno.readFileSync(disk.access.path);
  isBroken = true;
  assertThrows(() => disk.write(5, new Uint8Array(10)), SystemError, "Input/output error");
  assertEquals(Deno.readFileSync(disk.access.path), before);
});
