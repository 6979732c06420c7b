/**
 * An image that is written to, with a model of what its disk has to be, and what qemu's tools say of it
 * in the end.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import type { ImageRequest } from "../../../../src/disk/request.ts";
import { decryptByQemu } from "../../../support/encrypted.ts";
import { must, run, type TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { checkImage } from "./checker.ts";
import { formatOf, type Original } from "./originals.ts";
import type { Op } from "./random_ops.ts";
import { WritableDisk } from "./writable_disk.ts";

/** A disk, and what it has to be. */
export class Modelled {
  readonly disk: WritableDisk;
  readonly model: Uint8Array;

  constructor({ path, keys }: Original, request: Partial<ImageRequest> = {}) {
    this.disk = new WritableDisk(path, { request, ...keys === undefined ? {} : { keys } });
    this.model = this.disk.read(0, this.disk.sizeBytes).slice();
  }

  apply(op: Op): void {
    this.disk.apply(op);
    if (op.kind === "write") this.model.set(op.bytes, op.offset);
    if (op.kind === "zeros") this.model.fill(0, op.offset, op.offset + op.length);
    if (op.kind === "discard") this.#seeDiscarded(op.offset, op.length);
  }

  /** What has been discarded is zeros or as it was, sector by sector. */
  #seeDiscarded(offset: number, length: number): void {
    const found = this.disk.read(offset, length);
    for (let at = 0; at < length; at += 512) {
      const sector = found.subarray(at, at + 512);
      const isZero = sector.every((byte) => byte === 0);
      if (!isZero) assert(sameBytes(sector, this.model.subarray(offset + at, offset + at + 512)));
      this.model.set(sector, offset + at);
    }
  }

  check(what: string): void {
    const found = this.disk.read(0, this.disk.sizeBytes);
    if (sameBytes(found, this.model)) return;
    const at = found.findIndex((byte, index) => byte !== this.model[index]);
    throw new Error(`${what}: wrong from ${at} on`);
  }
}

/** What qemu's tools find in an image that has been closed. */
async function askQemu(original: Original, folder: TempDirectory): Promise<Uint8Array> {
  const { path, keys, recipe } = original;
  const format = formatOf(recipe);
  const bytes = Deno.readFileSync(path);
  assertEquals(checkImage(bytes), { corruptions: [], leaks: 0 });
  if (keys !== undefined) {
    await decryptByQemu(path, format, folder.file("raw"));
  } else {
    if (recipe.version !== 1) {
      const { code, stdout, stderr } = await run("qemu-img", "check", "-f", "qcow2", path);
      assertEquals([code, stderr], [0, ""], stdout);
    }
    await must("qemu-img", "convert", "-f", format, "-O", "raw", path, folder.file("raw"));
  }
  return Deno.readFileSync(folder.file("raw"));
}

/** Closes the disk, and has qemu judge what it leaves. */
export async function closeAndAskQemu(
  { disk, model }: Modelled,
  original: Original,
  folder: TempDirectory,
): Promise<void> {
  assert(disk.close());
  const raw = await askQemu(original, folder);
  assert(sameBytes(raw.subarray(0, model.length), model), "qemu reads other bytes");
}
