/**
 * Images with persistent bitmaps: what these take is counted, whole and damaged, as qemu counts it.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { ImageBytes } from "../write/image_bytes.ts";
import { makeOriginal, ORIGINAL_TOOLS, qemuIo } from "../write/originals.ts";
import { checkedByDriver, checkedByQemu } from "./checked.ts";

const AUTOCLEAR_OFFSET = 88;
const HEADER_LENGTH_OFFSET = 100;
const BITMAPS = 0x23852875;

/** Where the directory of bitmaps is. */
function directoryOf(image: ImageBytes): number {
  const { view } = image;
  let at = view.getUint32(HEADER_LENGTH_OFFSET);
  while (view.getUint32(at) !== BITMAPS) at += 8 + Math.ceil(view.getUint32(at + 4) / 8) * 8;
  return image.u64(at + 24);
}

const DAMAGE: Readonly<Record<string, (image: ImageBytes, table: number) => void>> = {
  "none": () => {},
  "no bitmap is valid any more": ({ view }) => view.setBigUint64(AUTOCLEAR_OFFSET, 0n),
  "a bitmap is behind the end of the file": ({ view }, table) =>
    view.setBigUint64(table, 1n << 40n),
  "a bitmap is not aligned": ({ view }, table) =>
    view.setBigUint64(table, view.getBigUint64(table) + 512n),
  "an entry has reserved bits": ({ view }, table) =>
    view.setBigUint64(table, view.getBigUint64(table) | 6n),
  "a bitmap is where the L1 table is": ({ view, l1Offset }, table) =>
    view.setBigUint64(table, BigInt(l1Offset)),
};

for (const [what, damage] of Object.entries(DAMAGE)) {
  oracleTest(`checkQcow() counts bitmaps: ${what}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory();
    const recipe = { name: "bitmaps", sizeBytes: 64 * 1024 ** 2, options: ["cluster_size=4096"] };
    const { path } = await makeOriginal(folder.path, recipe);
    for (const name of ["one", "two"]) await must("qemu-img", "bitmap", "--add", path, name);
    await qemuIo(path, "qcow2", ["write -q 0 1M", "write -q 20M 1M"]);
    const image = new ImageBytes(path);
    damage(image, image.u64(directoryOf(image)));
    image.save();
    const { code, numbers, told } = checkedByDriver(path);
    const qemu = await checkedByQemu(path);
    // Of some, qemu does not even open the image.
    if (qemu.code === 1) return assertEquals(code, 2);
    assertEquals([code, numbers], [qemu.code, qemu.numbers], `${told}\n---\n${qemu.told}`);
  });
}
