/**
 * Children of VirtualBox's formats on images of another one of them.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { must } from "../support/tools.ts";
import { virtualBoxTest } from "../support/virtualbox.ts";
import { fillDisk } from "../support/filled_disk.ts";
import { sameBytes } from "./opened_image.ts";
import { Random } from "./qcow/write/random_ops.ts";
import { WritableDisk } from "./qcow/write/writable_disk.ts";
import { writeAtRandom } from "./written_in_turn.ts";

const MIB = 1024 * 1024;
const SIZE = 4 * MIB;
/** Parents and children. */
const PAIRS = [["VHD", "VDI"], ["VMDK", "VDI"], ["VDI", "VHD"], ["VMDK", "VHD"]] as const;

virtualBoxTest(
  "VirtualBox and we agree on children of another format than their parent",
  async (box) => {
    const raw = box.file("disk.raw");
    await must("qemu-img", "create", "-q", "-f", "raw", raw, `${SIZE}`);
    await fillDisk(raw, "raw", { sizeBytes: SIZE, seed: 4 });
    const random = new Random(7);
    for (const [below, above] of PAIRS) {
      const name = `${below} below ${above}`;
      const parent = box.file(`parent-of-${above}.${below.toLowerCase()}`);
      const child = box.file(`child-of-${below}.${above.toLowerCase()}`);
      await box.convert(raw, "RAW", parent, "--dstformat", below);
      await box.child(child, parent, above);
      const model = Deno.readFileSync(raw);
      const disk = new WritableDisk(child, { request: { format: above } });
      assert(sameBytes(disk.read(0, SIZE), model), name);
      writeAtRandom(disk, model, random, 3);
      assertEquals(disk.close(), true);
      const theirs = await box.rawCopy(child);
      assert(sameBytes(Deno.readFileSync(theirs), model), `VirtualBox reads others: ${name}`);
    }
  },
);
