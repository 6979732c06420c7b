// @ts-types="../../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ENTRY_FREE, ENTRY_ZERO } from "../../../../src/format/vdi/layout.ts";
import { vdi } from "../../../../src/format/vdi/mod.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { openImageFile, sameBytes } from "../../opened_image.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import { adoptVdi, BLOCK, buildVdi, DATA, MAP, type VdiParts } from "../image_builder.ts";
import { faultsOfVdi, leaksOfVdi } from "./checker.ts";

const MIB = 1024 * 1024;
const VDI = { request: { format: "VDI" } } as const;

for (const option of ["static=off", "static=on"]) {
  oracleTest(`vdi and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    for (const sizeBytes of [24 * MIB, 9 * MIB + 512]) {
      using folder = new TempDirectory();
      const path = folder.file("disk.vdi");
      await must("qemu-img", "create", "-q", "-f", "vdi", "-o", option, path, `${sizeBytes}`);
      const model = new Uint8Array(sizeBytes);
      const random = new Random(sizeBytes);
      for (let round = 0; round < 4; round++) {
        const disk = new WritableDisk(path, VDI);
        writeAtRandom(disk, model, random, 8);
        assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
        assert(disk.close());
        await must("qemu-img", "check", "-q", "-f", "vdi", path);
        await writeByQemu(path, "vdi", model, random);
      }
      const raw = folder.file("raw");
      await must("qemu-img", "convert", "-f", "vdi", "-O", "raw", path, raw);
      assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
    }
  });
}

virtualBoxTest("VirtualBox reads what vdi has written: an image and a child of it", async (box) => {
  const sizeBytes = 8 * MIB;
  const model = new Uint8Array(sizeBytes);
  const random = new Random(3);
  const raw = box.file("disk.raw");
  Deno.writeFileSync(raw, model);
  const base = box.file("base.vdi");
  const child = box.file("child.vdi");
  await box.convert(raw, "RAW", base, "--dstformat", "VDI");
  const below = new WritableDisk(base, VDI);
  writeAtRandom(below, model, random, 6);
  assert(below.close());
  await box.child(child, base, "VDI");
  const above = new WritableDisk(child, VDI);
  writeAtRandom(above, model, random, 6);
  above.writeZeros(5 * MIB, MIB);
  model.fill(0, 5 * MIB, 6 * MIB);
  assert(sameBytes(above.read(0, sizeBytes), model));
  assert(above.close());
  const theirs = await box.rawCopy(child);
  assert(sameBytes(Deno.readFileSync(theirs), model), "VirtualBox reads other bytes");
});

function built(folder: TempDirectory, parts: VdiParts = {}): string {
  const path = folder.file("built.vdi");
  Deno.writeFileSync(path, buildVdi(parts));
  return path;
}

function stateOf(path: string): string | undefined {
  using file = openImageFile(path);
  return vdi.info?.(file).identity?.state;
}

function entry(path: string, block: number): number {
  return new DataView(Deno.readFileSync(path).buffer).getUint32(MAP + 4 * block, true);
}

Deno.test("vdi gives an image that is written to a new modification UUID, once", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0] });
  const before = stateOf(path);
  const untouched = new WritableDisk(path, VDI);
  untouched.read(0, 512);
  assert(untouched.close());
  assertEquals(stateOf(path), before);
  using disk = new WritableDisk(path, VDI);
  disk.write(0, new Uint8Array(512));
  const after = stateOf(path);
  assertNotEquals(after, before);
  disk.write(0, new Uint8Array(512));
  assertEquals(stateOf(path), after);
});

Deno.test("vdi refuses a child of an image that has been written to since", () => {
  using folder = new TempDirectory();
  const base = folder.file("base.vdi");
  const child = folder.file("child.vdi");
  Deno.writeFileSync(base, buildVdi({ map: [0] }));
  Deno.writeFileSync(child, buildVdi({ stored: 0 }));
  adoptVdi(child, base);
  const disk = new WritableDisk(base, VDI);
  disk.write(0, new Uint8Array(10));
  assert(disk.close());
  const error = assertThrows(() => new WritableDisk(child, VDI), RelatedFileError);
  assertStringIncludes(error.message, "was changed after");
});

Deno.test("vdi copies the rest of a block from below, and has zeros there at no cost", () => {
  using folder = new TempDirectory();
  const base = folder.file("base.vdi");
  const child = folder.file("child.vdi");
  Deno.writeFileSync(base, buildVdi({ map: [0, 1, 2, 3], stored: 4 }));
  Deno.writeFileSync(child, buildVdi({ stored: 0 }));
  adoptVdi(child, base);
  const disk = new WritableDisk(child, VDI);
  disk.write(100, Uint8Array.of(9, 9));
  disk.writeZeros(BLOCK, BLOCK);
  disk.discard(2 * BLOCK, BLOCK);
  const expected = new Uint8Array(4 * BLOCK);
  for (const block of [0, 2, 3]) expected.fill(block + 1, block * BLOCK, (block + 1) * BLOCK);
  expected.fill(9, 100, 102);
  assertEquals(disk.read(0, 4 * BLOCK), expected);
  assert(disk.close());
  assertEquals([0, 1, 2, 3].map((block) => entry(child, block)), [
    0,
    ENTRY_ZERO,
    ENTRY_FREE,
    ENTRY_FREE,
  ]);
  assertEquals(Deno.statSync(child).size, DATA + BLOCK);
});

Deno.test("vdi frees what is discarded where it is: numbers in use have no gaps", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [2, 0, 1] });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const disk = new WritableDisk(path, VDI);
  disk.discard(0, 2 * BLOCK);
  assertEquals(disk.read(0, 2 * BLOCK), new Uint8Array(2 * BLOCK));
  assert(disk.close());
  assert((Deno.statSync(path).blocks ?? 0) < blocks);
  assertEquals([0, 1, 2].map((block) => entry(path, block)), [2, 0, 1]);
});

Deno.test("vdi uses numbers first that a crash has left unused", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [3, 1], stored: 4 });
  const disk = new WritableDisk(path, VDI);
  disk.write(2 * BLOCK, new Uint8Array(3 * BLOCK).fill(7));
  assertEquals(disk.read(2 * BLOCK, 3 * BLOCK), new Uint8Array(3 * BLOCK).fill(7));
  assert(disk.close());
  assertEquals([2, 3, 4].map((block) => entry(path, block)), [0, 2, 4]);
  assertEquals([faultsOfVdi(Deno.readFileSync(path)), leaksOfVdi(Deno.readFileSync(path))], [
    [],
    0,
  ]);
});

Deno.test("vdi gives back what a write had that failed, and cuts it off in the end", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VDI, file });
  disk.write(0, new Uint8Array(10));
  const write = file.write.bind(file);
  file.write = () => {
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 20; n++) {
    assertThrows(() => disk.write(BLOCK, new Uint8Array(2 * BLOCK).fill(2)), SystemError);
  }
  file.write = write;
  disk.write(3 * BLOCK, new Uint8Array(10).fill(3));
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([faultsOfVdi(bytes), leaksOfVdi(bytes), bytes.length], [[], 0, DATA + 2 * BLOCK]);
});

Deno.test("vdi has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { ...VDI, file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertThrows(() => disk.write(BLOCK, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(BLOCK, 1), Uint8Array.of(0));
});

const REFUSED: readonly [message: string, parts: VdiParts][] = [
  ["9 of 8 blocks cannot be stored", { header: { blocks_allocated: 9 } }],
  ["4294967295 of 8 blocks", { header: { blocks_allocated: 2 ** 32 - 1 } }],
  ["block number 1 is stored for two blocks", { map: [1, 1] }],
  ["block number 4 cannot be in the file", { map: [4] }],
  ["block number 8 cannot be in the file", {
    map: [8],
    stored: 9,
    header: { blocks_allocated: 8 },
  }],
];

for (const [message, parts] of REFUSED) {
  Deno.test(`vdi does not write to a damaged image: ${message}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    assertThrows(() => new WritableDisk(path, VDI), ImageFormatError, message);
    using readable = new WritableDisk(path, { request: { format: "VDI", readOnly: true } });
    assertEquals(readable.sizeBytes, 8 * BLOCK);
  });
}

Deno.test("vdi writes to blocks too large to be copied where nothing is below them", () => {
  using folder = new TempDirectory();
  const blockBytes = 2 ** 25;
  const header = { block_size: blockBytes, disk_size: BigInt(2 * blockBytes) };
  const path = built(folder, { header, stored: 0 });
  for (const block of [1, 0]) {
    const disk = new WritableDisk(path, VDI);
    disk.write(block * blockBytes + 1000, new Uint8Array(100).fill(7));
    const read = disk.read(block * blockBytes, 2000);
    assertEquals(read, new Uint8Array(2000).fill(7, 1000, 1100));
    assert(disk.close());
    assertLess((Deno.statSync(path).blocks ?? 0) * 512, 256 * 1024);
  }
  assertEquals(faultsOfVdi(Deno.readFileSync(path)), []);
  const base = folder.file("base.vdi");
  Deno.copyFileSync(path, base);
  adoptVdi(path, base);
  assertThrows(() => new WritableDisk(path, VDI), UnsupportedFeatureError, "33554432 bytes");
});

Deno.test("vdi keeps what was answered when its daemon is killed, and uses later what was ready", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0], stored: 1 });
  for (const block of [1, 2, 3]) {
    const disk = new WritableDisk(path, VDI);
    disk.write(block * BLOCK + 5, new Uint8Array(100).fill(block));
    disk[Symbol.dispose]();
    assertEquals(faultsOfVdi(Deno.readFileSync(path)), []);
    assertGreater(leaksOfVdi(Deno.readFileSync(path)), 0);
  }
  const disk = new WritableDisk(path, VDI);
  for (const block of [1, 2, 3]) {
    assertEquals(disk.read(block * BLOCK + 5, 100), new Uint8Array(100).fill(block));
  }
  disk.write(0, new Uint8Array(1));
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([leaksOfVdi(bytes), bytes.length], [0, DATA + 4 * BLOCK]);
});
