// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { createQcow, type NewImage } from "../../../src/format/qcow/create.ts";
import { ImageFile } from "../../../src/storage/image_file.ts";
import { O_CREAT, O_RDWR, openFile } from "../../../src/sys/files.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

openLibc();

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const PIB = 1024 * TIB;

/** The largest disk with clusters of 64 KiB: its L1 table has 32 MiB. */
const MOST_BYTES = 2 * PIB;

function create(path: string, image: NewImage): void {
  using file = new ImageFile(openFile(path, O_RDWR | O_CREAT), path);
  createQcow(file, image);
}

interface Header {
  readonly l1_size: number;
  readonly header_length: number;
  readonly incompatible_features: number;
}

function headerOf(path: string): Header {
  const view = new DataView(Deno.readFileSync(path).buffer, 0, 112);
  return {
    l1_size: view.getUint32(36),
    header_length: view.getUint32(100),
    incompatible_features: Number(view.getBigUint64(72)),
  };
}

/** What qemu says of an image, but for where it lies and what it takes. */
async function infoOf(path: string): Promise<Record<string, unknown>> {
  const { filename: _name, "actual-size": _size, children: _children, ...info } = JSON.parse(
    await must("qemu-img", "info", "--output=json", path),
  );
  return info;
}

oracleTest("createQcow() makes what qemu-img makes, of any size", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const sizes = [512, 64 * KIB, 512 * MIB, 512 * MIB + 512, GIB, 10 * GIB + 512, 4 * TIB + 512];
  for (const sizeBytes of [...sizes, 300 * TIB, MOST_BYTES - 512, MOST_BYTES]) {
    const base = folder.file("base");
    await must("qemu-img", "create", "-q", "-f", "raw", base, "1M");
    const [ours, theirs] = [folder.file("ours"), folder.file("theirs")];
    create(ours, { sizeBytes, backing: { name: "base", format: "raw" } });
    const size = String(sizeBytes);
    await must("qemu-img", "create", "-q", "-fqcow2", "-b", "base", "-F", "raw", theirs, size);
    assertEquals(await infoOf(ours), await infoOf(theirs), size);
    assertEquals(headerOf(ours), headerOf(theirs), size);
    assertEquals(Deno.statSync(ours).size, Math.ceil(Deno.statSync(theirs).size / 65536) * 65536);
    await must("qemu-img", "check", "-q", ours);
    for (const path of [base, ours, theirs]) Deno.removeSync(path);
  }
});

oracleTest("createQcow() makes images that qemu writes to", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  for (const more of [{}, { extendedL2: true, clusterBits: 17 }, { clusterBits: 21 }]) {
    const [base, top] = [folder.file("base"), folder.file("top")];
    await must("qemu-img", "create", "-q", "-f", "raw", base, "10M");
    await must("qemu-io", "-f", "raw", "-c", "write -P 1 0 10M", base);
    create(top, { sizeBytes: 10 * MIB, backing: { name: "base", format: "raw" }, ...more });
    await must("qemu-img", "compare", base, top);
    await must("qemu-io", "-c", "write -P 2 5M 4k", top);
    await must("qemu-io", "-f", "raw", "-c", "write -P 2 5M 4k", base);
    await must("qemu-img", "compare", base, top);
    await must("qemu-img", "check", "-q", top);
    for (const path of [base, top]) Deno.removeSync(path);
  }
});

oracleTest("createQcow() makes disks of whole sectors, without a backing file, too", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const path = folder.file("image");
  create(path, { sizeBytes: 1000 });
  const info = await infoOf(path);
  assertEquals([info["virtual-size"], info["backing-filename"]], [1024, undefined]);
  await must("qemu-img", "check", "-q", path);
});

Deno.test("createQcow() refuses what no image can be", () => {
  using folder = new TempDirectory();
  const path = folder.file("image");
  const refuse = (image: NewImage, text: string): unknown =>
    assertThrows(() => create(path, image), Error, text);
  refuse({ sizeBytes: MOST_BYTES + 512 }, "is too large for clusters of 65536 bytes");
  refuse({ sizeBytes: 9 * PIB }, "8 PiB or more");
  refuse({ sizeBytes: PIB, clusterBits: 9 }, "is too large for clusters of 512 bytes");
  const backing = { name: "é".repeat(512), format: "raw" };
  refuse({ sizeBytes: 512, backing }, "is too long to be recorded");
  assertEquals(Deno.statSync(path).size, 0);
});
