// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { DiskType, FOOTER } from "../../../../src/format/vhd/layout.ts";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { sameBytes } from "../../opened_image.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import {
  adoptVhd,
  BLOCK,
  BLOCKS,
  buildFixed,
  buildVhd,
  TABLE,
  text,
  uuid,
  type VhdParts,
} from "../image_builder.ts";
import { faultsOfVhd, unusedBytes } from "./checker.ts";

const MIB = 1024 * 1024;
const VHD = { request: { format: "VHD" } } as const;

for (const option of ["subformat=dynamic", "subformat=fixed"]) {
  oracleTest(`vhd and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    for (const wanted of [24 * MIB, 9 * MIB + 512]) {
      using folder = new TempDirectory();
      const path = folder.file("disk.vhd");
      const options = `${option},force_size=on`;
      await must("qemu-img", "create", "-q", "-f", "vpc", "-o", options, path, `${wanted}`);
      const model = new Uint8Array(wanted);
      const random = new Random(wanted);
      for (let round = 0; round < 3; round++) {
        const disk = new WritableDisk(path, VHD);
        writeAtRandom(disk, model, random, 8);
        assert(sameBytes(disk.read(0, wanted), model), "read back");
        assert(disk.close());
        if (option === "subformat=dynamic") {
          assertEquals(faultsOfVhd(Deno.readFileSync(path)), []);
        }
        await writeByQemu(path, "vpc", model, random);
      }
      const raw = folder.file("raw");
      await must("qemu-img", "convert", "-f", "vpc", "-O", "raw", path, raw);
      assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
    }
  });
}

virtualBoxTest(
  "VirtualBox reads what vhd has written: images and a chain of three",
  async (box) => {
    const sizeBytes = 8 * MIB;
    const random = new Random(3);
    const raw = box.file("disk.raw");
    const model = new Uint8Array(sizeBytes);
    // A block of which VirtualBox stores, and marks, a part only.
    model.fill(1, 2 * MIB + 4096, 2 * MIB + 8192);
    Deno.writeFileSync(raw, model);
    for (const variant of ["Fixed", "Standard"]) {
      const path = box.file(`${variant}.vhd`);
      await box.convert(raw, "RAW", path, "--dstformat", "VHD", "--variant", variant);
      const ours = model.slice();
      await compareWritten(path, ours);
      if (variant === "Fixed") continue;
      for (const child of ["child.vhd", "top.vhd"]) {
        await box.child(box.file(child), child === "top.vhd" ? box.file("child.vhd") : path, "VHD");
        await compareWritten(box.file(child), ours);
      }
    }

    async function compareWritten(path: string, expected: Uint8Array): Promise<void> {
      const disk = new WritableDisk(path, VHD);
      writeAtRandom(disk, expected, random, 6);
      disk.writeZeros(5 * MIB, MIB + 512);
      expected.fill(0, 5 * MIB, 6 * MIB + 512);
      disk.write(2 * MIB + 1024, new Uint8Array(512).fill(9));
      expected.fill(9, 2 * MIB + 1024, 2 * MIB + 1536);
      assert(sameBytes(disk.read(0, sizeBytes), expected), path);
      assert(disk.close());
      const theirs = await box.rawCopy(path);
      assert(sameBytes(Deno.readFileSync(theirs), expected), `VirtualBox reads others: ${path}`);
    }
  },
);

function built(folder: TempDirectory, parts: VhdParts = {}): string {
  const path = folder.file("built.vhd");
  Deno.writeFileSync(path, buildVhd(parts));
  return path;
}

function sizeOf(path: string): number {
  return Deno.statSync(path).size;
}

function entry(path: string, block: number): number {
  return new DataView(Deno.readFileSync(path).buffer).getUint32(TABLE + 4 * block);
}

/** A child of an image with bytes of 1 to 4 in its first four blocks. */
function familyIn(folder: TempDirectory, parts: VhdParts): string {
  const base = folder.file("base.vhd");
  const footer = { uuid: uuid(9) };
  Deno.writeFileSync(base, buildVhd({ map: [0, 1, 2, 3], stored: 4, footer }));
  const child = folder.file("child.vhd");
  Deno.writeFileSync(child, buildVhd(parts));
  adoptVhd(child, base);
  return child;
}

Deno.test("vhd writes to a fixed image where its bytes are, and to nothing else", () => {
  using folder = new TempDirectory();
  const path = folder.file("fixed.vhd");
  const before = buildFixed(8 * BLOCK, 7);
  Deno.writeFileSync(path, before);
  const disk = new WritableDisk(path, VHD);
  disk.write(100, Uint8Array.of(1, 2));
  disk.discard(BLOCK, BLOCK);
  disk.writeZeros(7 * BLOCK + 1, BLOCK - 1);
  assert(disk.close());
  before.set([1, 2], 100);
  before.fill(0, BLOCK, 2 * BLOCK);
  before.fill(0, 7 * BLOCK + 1, 8 * BLOCK);
  assertEquals(Deno.readFileSync(path), before);
});

Deno.test("vhd adds blocks whose bytes are aligned, and cuts off what it did not need", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  const disk = new WritableDisk(path, VHD);
  for (const block of [3, 5]) disk.write(block * BLOCK + 10, new Uint8Array(10).fill(block));
  const expected = new Uint8Array(8 * BLOCK).fill(1, 0, BLOCK);
  for (const block of [3, 5]) expected.fill(block, block * BLOCK + 10, block * BLOCK + 20);
  assertEquals(disk.read(0, 8 * BLOCK), expected);
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([faultsOfVhd(bytes), unusedBytes(bytes)], [[], 0]);
  assertEquals([3, 5].map((block) => (entry(path, block) + 1) % 8), [0, 0]);
  // All bits of a block without a parent.
  assertEquals(bytes[entry(path, 3) * 512], 0xff);
});

Deno.test("vhd leaves an image as long as it was that needs no more", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0, 1], stored: 2 });
  const before = Deno.readFileSync(path);
  const disk = new WritableDisk(path, VHD);
  disk.write(BLOCK, new Uint8Array(BLOCK).fill(2));
  disk.writeZeros(4 * BLOCK, 4 * BLOCK);
  assert(disk.close());
  assertEquals(Deno.readFileSync(path), before);
});

Deno.test("vhd stores of a child what is written, and zeros at no cost", () => {
  using folder = new TempDirectory();
  const path = familyIn(folder, { stored: 0 });
  const disk = new WritableDisk(path, VHD);
  disk.write(1000, Uint8Array.of(9, 9));
  disk.writeZeros(BLOCK + 512, 1024);
  disk.discard(2 * BLOCK, BLOCK);
  const expected = new Uint8Array(8 * BLOCK);
  for (let block = 0; block < 4; block++) {
    expected.fill(block + 1, block * BLOCK, (block + 1) * BLOCK);
  }
  expected.set([9, 9], 1000);
  expected.fill(0, BLOCK + 512, BLOCK + 1536);
  assertEquals(disk.read(0, 8 * BLOCK), expected);
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([0, 1].map((block) => bytes[entry(path, block) * 512]), [0x40, 0x60]);
  assertEquals([entry(path, 2), faultsOfVhd(bytes)], [0xffffffff, []]);
  using again = new WritableDisk(path, { request: { format: "VHD", readOnly: true } });
  assertEquals(again.read(0, 8 * BLOCK), expected);
});

Deno.test("vhd clears what a child has behind bits of 0 before they are 1", () => {
  using folder = new TempDirectory();
  // Sectors that are the parent's have bytes that mean nothing.
  const path = familyIn(folder, { map: [3], bits: [0, 0, 0, 0x80] });
  const disk = new WritableDisk(path, VHD);
  disk.writeZeros(512, 1024);
  disk.discard(0, BLOCK);
  assertEquals(disk.read(0, 512), new Uint8Array(512));
  assertEquals(disk.read(512, 1024), new Uint8Array(1024));
  assertEquals(disk.read(1536, 512), new Uint8Array(512).fill(1));
  assert(disk.close());
});

Deno.test("vhd frees what is discarded where it is", () => {
  using folder = new TempDirectory();
  const path = built(folder, { stored: 0 });
  const disk = new WritableDisk(path, VHD);
  disk.write(0, new Uint8Array(3 * BLOCK).fill(5));
  disk.flush();
  const entries = [0, 1, 2].map((block) => entry(path, block));
  const blocks = Deno.statSync(path).blocks ?? 0;
  disk.discard(0, 3 * BLOCK);
  assertEquals(disk.read(0, 3 * BLOCK), new Uint8Array(3 * BLOCK));
  assert(disk.close());
  assertLess(Deno.statSync(path).blocks ?? 0, blocks);
  assertEquals([0, 1, 2].map((block) => entry(path, block)), entries);
});

const FOOTERS: readonly [what: string, change: (bytes: Uint8Array) => Uint8Array][] = [
  ["its copy is missing", (bytes) => bytes.fill(0, 0, 512)],
  ["it is missing", (bytes) => bytes.fill(0, bytes.length - 512)],
  ["it was cut off", (bytes) => bytes.subarray(0, bytes.length - 512)],
  ["they differ", (bytes) => {
    bytes.set(bytes.subarray(bytes.length - 512), 0);
    const view = new DataView(bytes.buffer);
    view.setUint32(FOOTER.offsets.time, 1);
    view.setUint32(FOOTER.offsets.checksum, view.getUint32(FOOTER.offsets.checksum) - 1);
    return bytes;
  }],
];

for (const [what, change] of FOOTERS) {
  Deno.test(`vhd has footer and copy be there once it writes: ${what}`, () => {
    using folder = new TempDirectory();
    const path = folder.file("footer.vhd");
    Deno.writeFileSync(path, change(buildVhd({ map: [0, 1, 2, 3] })));
    const disk = new WritableDisk(path, VHD);
    disk.write(0, Uint8Array.of(9));
    disk[Symbol.dispose]();
    assertEquals(faultsOfVhd(Deno.readFileSync(path)), []);
  });
}

Deno.test("vhd cuts off what a daemon has left that was killed, and keeps what it had answered", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  for (const block of [1, 2, 3]) {
    const disk = new WritableDisk(path, VHD);
    disk.write(block * BLOCK, new Uint8Array(BLOCK).fill(block));
    disk[Symbol.dispose]();
    const bytes = Deno.readFileSync(path);
    assertEquals(faultsOfVhd(bytes), []);
    assertLess(unusedBytes(bytes), 5 * 2 * BLOCK);
  }
  using disk = new WritableDisk(path, VHD);
  for (const block of [1, 2, 3]) {
    assertEquals(disk.read(block * BLOCK, BLOCK), new Uint8Array(BLOCK).fill(block));
  }
});

Deno.test("vhd gives back what a write had that failed, as zeros", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VHD, file });
  disk.write(0, new Uint8Array(10));
  const write = file.write.bind(file);
  let refused = 0;
  file.write = (source, position, hostOffset, lengthBytes) => {
    if (lengthBytes !== 1024) return write(source, position, hostOffset, lengthBytes);
    refused++;
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 20; n++) {
    assertThrows(() => disk.write(BLOCK, new Uint8Array(1024).fill(2)), SystemError);
    if (n % 3 === 0) disk.flush();
  }
  assertEquals(refused, 20);
  disk.write(3 * BLOCK + 512, new Uint8Array(10).fill(3));
  const expected = new Uint8Array(BLOCK).fill(3, 512, 522);
  assertEquals(disk.read(3 * BLOCK, BLOCK), expected);
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([faultsOfVhd(bytes), unusedBytes(bytes)], [[], 0]);
});

Deno.test("vhd has no room on a full disk, and on what cannot get longer, but writes to what is there", () => {
  for (const isDevice of [true, false]) {
    using folder = new TempDirectory();
    const path = built(folder, { map: [0], stored: 1 });
    const file = openForWriting(path);
    const limit = file.sizeBytes;
    const write = file.write.bind(file);
    if (isDevice) Object.defineProperty(file, "canGrow", { value: false });
    file.write = (source, position, hostOffset, lengthBytes) => {
      if (hostOffset >= limit) throw new SystemError("write", 28, path);
      write(source, position, hostOffset, lengthBytes);
    };
    const disk = new WritableDisk(path, { ...VHD, file });
    disk.write(100, new Uint8Array(10).fill(9));
    for (let n = 0; n < 3; n++) {
      assertThrows(() => disk.write(BLOCK, new Uint8Array(10)), SystemError, "No space left");
      disk.flush();
    }
    assertEquals(disk.read(100, 11), new Uint8Array(11).fill(9, 0, 10).fill(1, 10));
    file.write = write;
    if (!isDevice) disk.write(BLOCK, new Uint8Array(10).fill(5));
    assert(disk.close());
    assertEquals(faultsOfVhd(Deno.readFileSync(path)), []);
  }
});

const REFUSED: readonly [message: string, parts: VhdParts][] = [
  ["a block lies in a block", { map: [1, 1] }],
  ["a block is not all in the file", { map: [0, 4] }],
  ["a block lies in the copy of the footer", { header: { table_offset: 1024n } }],
  ["a block lies in a name of the parent", {
    map: [0],
    locator: ["W2ku", new Uint8Array(BLOCKS)],
    footer: { type: DiskType.differencing },
    header: { parent_uuid: uuid(9) },
  }],
];

for (const [message, parts] of REFUSED) {
  Deno.test(`vhd does not write to a damaged image: ${message}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    if (parts.header?.parent_uuid !== undefined) {
      Deno.writeFileSync(folder.file("base.vhd"), buildVhd({ footer: { uuid: uuid(9) } }));
    }
    assertThrows(() => new WritableDisk(path, VHD), ImageFormatError, message);
    using readable = new WritableDisk(path, { request: { format: "VHD", readOnly: true } });
    assertEquals(readable.sizeBytes, 8 * BLOCK);
  });
}

Deno.test("vhd keeps what an image says of itself: identifier, times, program, sizes", () => {
  using folder = new TempDirectory();
  const path = built(folder, { footer: { time: 123, creator: text("win "), original_size: 7n } });
  const footer = Deno.readFileSync(path).subarray(0, 512).slice();
  const disk = new WritableDisk(path, VHD);
  disk.write(0, new Uint8Array(3 * BLOCK));
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([bytes.subarray(0, 512), bytes.subarray(-512)], [footer, footer]);
  assertEquals(sizeOf(path) % 512, 0);
});
