// @ts-types="../../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { vmdk } from "../../../../src/format/vmdk/mod.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import type { Identity } from "../../../../src/image/identity.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { openImageFile, sameBytes } from "../../opened_image.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import {
  buildExtent,
  buildVmdk,
  descriptor,
  entryOffset,
  type ExtentParts,
  GRAIN,
  GRAINS,
  TABLES,
} from "../image_builder.ts";
import { faultsOfVmdk, isClosed, leakedGrains } from "./checker.ts";

const MIB = 1024 * 1024;
const VMDK = { request: { format: "VMDK" } } as const;

const VARIANTS = [
  "subformat=monolithicSparse",
  "subformat=monolithicSparse,zeroed_grain=on",
  "subformat=monolithicFlat",
  "subformat=twoGbMaxExtentSparse",
  "subformat=twoGbMaxExtentFlat",
];

for (const option of VARIANTS) {
  oracleTest(`vmdk and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    const sizeBytes = 9 * MIB + 512;
    using folder = new TempDirectory();
    const path = folder.file("disk.vmdk");
    await must("qemu-img", "create", "-q", "-f", "vmdk", "-o", option, path, `${sizeBytes}`);
    const model = new Uint8Array(sizeBytes);
    const random = new Random(option.length);
    for (let round = 0; round < 3; round++) {
      const disk = new WritableDisk(path, VMDK);
      writeAtRandom(disk, model, random, 8);
      assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
      assert(disk.close());
      await must("qemu-img", "check", "-q", "-f", "vmdk", path);
      await writeByQemu(path, "vmdk", model, random);
    }
    const raw = folder.file("raw");
    await must("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, raw);
    assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
    if (option.startsWith("subformat=monolithicSparse")) {
      assertEquals([faultsOfVmdk(Deno.readFileSync(path)), isClosed(Deno.readFileSync(path))], [
        [],
        true,
      ]);
    }
  });
}

for (const variant of ["Standard", "Fixed", "Split2G"]) {
  virtualBoxTest(`VirtualBox reads what vmdk has written: ${variant}, and a child`, async (box) => {
    const sizeBytes = 8 * MIB;
    const model = new Uint8Array(sizeBytes);
    const random = new Random(3);
    const raw = box.file("disk.raw");
    Deno.writeFileSync(raw, model);
    const [base, child] = [box.file(`base.vmdk`), box.file("child.vmdk")];
    await box.convert(raw, "RAW", base, "--dstformat", "VMDK", "--variant", variant);
    const below = new WritableDisk(base, VMDK);
    writeAtRandom(below, model, random, 6);
    assert(below.close());
    await box.child(child, base, "VMDK");
    const above = new WritableDisk(child, VMDK);
    writeAtRandom(above, model, random, 6);
    assert(sameBytes(above.read(0, sizeBytes), model));
    assert(above.close());
    const theirs = await box.rawCopy(child);
    assert(sameBytes(Deno.readFileSync(theirs), model), "VirtualBox reads other bytes");
  });
}

function built(folder: TempDirectory, parts: ExtentParts = {}, fields = {}): string {
  const path = folder.file("built.vmdk");
  Deno.writeFileSync(path, buildVmdk(parts, fields));
  return path;
}

function identityOf(path: string): Identity {
  using file = openImageFile(path);
  return vmdk.info?.(file).identity ?? {};
}

/** Of a grain, by both directories. */
function entries(path: string, grain: number): number[] {
  const view = new DataView(Deno.readFileSync(path).buffer);
  return [TABLES, TABLES + 1].map((table) => view.getUint32(entryOffset(grain, table), true));
}

const UUIDS = {
  "ddb.uuid.image": '"11111111-1111-1111-1111-111111111111"',
  "ddb.uuid.modification": '"22222222-2222-2222-2222-222222222222"',
};

Deno.test("vmdk gives an image that is written to a new CID and modification UUID, once", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0] }, UUIDS);
  const text = (): string => new TextDecoder().decode(Deno.readFileSync(path).subarray(512, 2560));
  const [before, textBefore] = [identityOf(path), text()];
  const untouched = new WritableDisk(path, VMDK);
  untouched.read(0, 512);
  assert(untouched.close());
  assertEquals(identityOf(path), before);
  const disk = new WritableDisk(path, VMDK);
  disk.write(0, new Uint8Array(512));
  const after = identityOf(path);
  assertEquals(after.id, before.id);
  assertNotEquals(after.contentId, before.contentId);
  assertNotEquals(after.state, before.state);
  disk.write(0, new Uint8Array(512));
  assertEquals(identityOf(path), after);
  assertEquals(
    text().replace(`${after.contentId}`, "1234abcd").replace(`${after.state}`, `${before.state}`),
    textBefore,
  );
  assert(disk.close());
});

Deno.test("vmdk gives a flat image a new CID, of as many digits as there is room for", () => {
  using folder = new TempDirectory();
  const path = folder.file("x.vmdk");
  Deno.writeFileSync(folder.file("x-flat.vmdk"), new Uint8Array(4096));
  const text = descriptor(['RW 8 VMFS "x-flat.vmdk"'], { CID: "7 " });
  Deno.writeTextFileSync(path, text);
  const disk = new WritableDisk(path, VMDK);
  disk.write(512, new Uint8Array(512).fill(3));
  assert(disk.close());
  const after = Deno.readTextFileSync(path);
  assertNotEquals(after, text);
  assertEquals(after.replace(/CID=[0-9a-f] /, "CID=7 "), text);
  assertEquals(Deno.readFileSync(folder.file("x-flat.vmdk"))[512], 3);
});

Deno.test("vmdk says in the header that an image is in use, until it is closed", () => {
  using folder = new TempDirectory();
  for (const before of [0, 1]) {
    const path = built(folder, { map: [0], header: { unclean: before } });
    const flag = (): number | undefined => Deno.readFileSync(path)[72];
    const disk = new WritableDisk(path, VMDK);
    assertEquals(flag(), before);
    disk.write(0, new Uint8Array(10));
    assertEquals(flag(), 1);
    assert(disk.close());
    assertEquals(flag(), before);
  }
});

Deno.test("vmdk refuses a child of an image that has been written to since", () => {
  using folder = new TempDirectory();
  const [base, child] = [folder.file("base.vmdk"), folder.file("child.vmdk")];
  Deno.writeFileSync(base, buildVmdk({ map: [0] }));
  const fields = { parentCID: "1234abcd", parentFileNameHint: '"base.vmdk"' };
  Deno.writeFileSync(child, buildVmdk({ map: ["none"], stored: 0 }, fields));
  const disk = new WritableDisk(base, VMDK);
  disk.write(0, new Uint8Array(10));
  assert(disk.close());
  const error = assertThrows(() => new WritableDisk(child, VMDK), RelatedFileError);
  assertStringIncludes(error.message, "was changed after");
});

Deno.test("vmdk copies the rest of a grain from below, and has zeros there at no cost", () => {
  for (const flags of [7, 3]) {
    using folder = new TempDirectory();
    Deno.writeFileSync(folder.file("base.vmdk"), buildVmdk({ map: [0, 1, 2, 3] }));
    const fields = { parentCID: "1234abcd", parentFileNameHint: '"base.vmdk"' };
    const map = Array(4).fill("none");
    const child = built(folder, { map, stored: 0, header: { flags } }, fields);
    const disk = new WritableDisk(child, VMDK);
    disk.write(100, Uint8Array.of(9, 9));
    disk.writeZeros(GRAIN, GRAIN);
    disk.discard(2 * GRAIN, GRAIN);
    const expected = new Uint8Array(4 * GRAIN);
    for (const grain of [0, 2, 3]) expected.fill(grain + 1, grain * GRAIN, (grain + 1) * GRAIN);
    expected.fill(9, 100, 102);
    assertEquals(disk.read(0, 4 * GRAIN), expected);
    assert(disk.close());
    const [first, second] = [GRAINS / 512, (GRAINS + GRAIN) / 512];
    // Without the flag, zeros have to be stored.
    const zeros = flags === 7 ? 1 : second;
    const found = [0, 1, 2, 3].map((grain) => entries(child, grain));
    assertEquals(found, [[first, first], [zeros, zeros], [0, 0], [0, 0]]);
  }
});

Deno.test("vmdk frees what is discarded where it is", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [2, 0, 1] });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const [first] = entries(path, 0);
  const disk = new WritableDisk(path, VMDK);
  disk.discard(0, 2 * GRAIN);
  assertEquals(disk.read(0, 2 * GRAIN), new Uint8Array(2 * GRAIN));
  assert(disk.close());
  assert((Deno.statSync(path).blocks ?? 0) < blocks);
  assertEquals(entries(path, 0), [first, first]);
});

Deno.test("vmdk gives back what a write had that failed, and cuts it off in the end", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0, "none", "none", "none", "none"], stored: 1 });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VMDK, file });
  disk.write(0, new Uint8Array(10));
  const write = file.write.bind(file);
  file.write = () => {
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 20; n++) {
    assertThrows(() => disk.write(GRAIN, new Uint8Array(2 * GRAIN).fill(2)), SystemError);
  }
  file.write = write;
  disk.write(3 * GRAIN, new Uint8Array(10).fill(3));
  assertEquals(disk.read(3 * GRAIN, 11), Uint8Array.from([...Array(10).fill(3), 0]));
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals([faultsOfVmdk(bytes), leakedGrains(bytes), bytes.length], [
    [],
    0,
    GRAINS + 2 * GRAIN,
  ]);
});

Deno.test("vmdk has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory();
  const path = built(folder, { map: [0, "none"], stored: 1 });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { ...VMDK, file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertThrows(() => disk.write(GRAIN, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(GRAIN, 1), Uint8Array.of(0));
});

/** Two sparse pieces, the second one of flat bytes between them. */
function pieces(folder: TempDirectory, flatSectors = 16): string {
  Deno.writeFileSync(folder.file("a.vmdk"), buildExtent({ map: [0, "none", "none", 1] }));
  Deno.writeFileSync(folder.file("b.bin"), new Uint8Array(100 * 512).fill(0xb));
  Deno.writeFileSync(folder.file("c.vmdk"), buildExtent({ map: ["none", "zero", 2] }));
  const path = folder.file("x.vmdk");
  const lines = [
    'RW 32 SPARSE "a.vmdk"',
    `RW ${flatSectors} FLAT "b.bin" 3`,
    'RW 24 SPARSE "c.vmdk"',
  ];
  Deno.writeTextFileSync(path, descriptor(lines));
  return path;
}

Deno.test("vmdk writes across pieces of several kinds, and clears them", () => {
  using folder = new TempDirectory();
  const path = pieces(folder);
  const random = new Random(7);
  const disk = new WritableDisk(path, VMDK);
  const model = disk.read(0, disk.sizeBytes).slice();
  assertEquals(model.length, 9 * GRAIN);
  for (let id = 1; id <= 60; id++) {
    const offset = random.below(model.length / 512) * 512;
    const length = Math.min(512 * (1 + random.below(40)), model.length - offset);
    if (id % 3 === 0) {
      disk.writeZeros(offset, length, id % 2 === 0);
      model.fill(0, offset, offset + length);
    } else {
      const bytes = stampedBytes(offset, length, id);
      disk.write(offset, bytes);
      model.set(bytes, offset);
    }
    if (id % 10 === 0) assert(disk.flush());
  }
  assertEquals(disk.read(0, model.length), model);
  assert(disk.close());
  for (const name of ["a.vmdk", "c.vmdk"]) {
    const bytes = Deno.readFileSync(folder.file(name));
    assertEquals([faultsOfVmdk(bytes), isClosed(bytes)], [[], true]);
  }
  const flat = Deno.readFileSync(folder.file("b.bin"));
  assertEquals([flat[3 * 512 - 1], flat[19 * 512]], [0xb, 0xb]);
  assertEquals(flat.subarray(3 * 512, 19 * 512), model.subarray(4 * GRAIN, 6 * GRAIN));
  using again = new WritableDisk(path, { request: { format: "VMDK", readOnly: true } });
  assertEquals(again.read(0, model.length), model);
});

Deno.test("vmdk only reads pieces with grains that do not fit each other", () => {
  using folder = new TempDirectory();
  const path = pieces(folder, 15);
  const message = "extents that begin or end within a grain, when they are written to,";
  assertThrows(() => new WritableDisk(path, VMDK), UnsupportedFeatureError, message);
});

const READ_ONLY: readonly [obstacle: string, lines: readonly string[]][] = [
  ["extents of the type ZERO", ["RW 1 ZERO"]],
  ["extents that are RDONLY", ['RDONLY 8 FLAT "b.bin" 0']],
  ["extents of the type SESPARSE", ['RW 8 SESPARSE "b.bin"']],
];

for (const [obstacle, lines] of READ_ONLY) {
  Deno.test(`vmdk does not write to ${obstacle}, and says so before`, () => {
    using folder = new TempDirectory();
    const path = pieces(folder);
    Deno.writeTextFileSync(path, descriptor(['RW 8 FLAT "b.bin" 8', ...lines]));
    assertThrows(() => new WritableDisk(path, VMDK), UnsupportedFeatureError, obstacle);
    using file = openImageFile(path);
    assertEquals(vmdk.obstacleToWriting?.(file), obstacle);
  });
}

for (
  const [obstacle, header] of [
    ["extents of version 3", { version: 3 }],
    ["grains of 65536 sectors", { grain_size: 65536n }],
  ] as const
) {
  Deno.test(`vmdk does not write to ${obstacle}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, { map: [0], header });
    assertThrows(() => new WritableDisk(path, VMDK), UnsupportedFeatureError, obstacle);
    using readable = new WritableDisk(path, { request: { format: "VMDK", readOnly: true } });
    assertEquals(readable.read(0, 1), Uint8Array.of(1));
  });
}

/** Changes the sector of the table, by the first directory or the redundant one. */
const table = (sector: number, directory = 6) => (view: DataView): void =>
  view.setUint32(directory * 512, sector, true);
const grain = (number: number, sector: number) => (view: DataView): void =>
  view.setUint32(entryOffset(number), sector, true);
const FIRST = GRAINS / 512;

const REFUSED: readonly [message: string, change: (view: DataView) => void][] = [
  ["a grain table is missing", table(0)],
  ["a grain table is missing", table(0, 5)],
  ["a grain table is not in the file", table(0xffffffff)],
  ["a grain table is where something else is", table(9)],
  ["a grain table is where something else is", table(1)],
  ["a grain table is where something else is", table(6)],
  ["two grains are stored at 0x4000", grain(1, FIRST)],
  ["grains are not aligned to each other", grain(1, FIRST + 9)],
  ["a grain lies among the metadata, at 0x1000", grain(1, 8)],
  ["the grain at 0x1fffff000 is missing", grain(1, 0x0fffff8)],
];

for (const [message, change] of REFUSED) {
  Deno.test(`vmdk does not write to a damaged image: ${message}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, { map: [0, 1] });
    const bytes = Deno.readFileSync(path);
    change(new DataView(bytes.buffer));
    Deno.writeFileSync(path, bytes);
    assertThrows(() => new WritableDisk(path, VMDK), ImageFormatError, message);
    using readable = new WritableDisk(path, { request: { format: "VMDK", readOnly: true } });
    assertEquals(readable.sizeBytes, 2 * GRAIN);
  });
}
