// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { parallels } from "../../../../src/format/parallels/mod.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { randomNumbers } from "../../../support/images.ts";
import { TempDirectory } from "../../../support/tools.ts";
import { openImageFile } from "../../opened_image.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import { WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom } from "../../written_in_turn.ts";
import { buildParallels, type ParallelsParts } from "../image_builder.ts";
import { judgeParallels } from "../write/checker.ts";
import { buildDescriptor, type BundleParts, DESCRIPTOR, guid } from "./bundle_builder.ts";

const CLUSTER = 4096;
/** Sectors of an image with sixteen clusters. */
const SECTORS = 128;
const READ = { request: { format: "PARALLELS", readOnly: true } } as const;
const WRITE = { request: { format: "PARALLELS" } } as const;

/** Makes the folder; answers where its descriptor is. */
function makeBundle(
  folder: TempDirectory,
  parts: BundleParts,
  files: Readonly<Record<string, ParallelsParts | Uint8Array>>,
): string {
  for (const [name, content] of Object.entries(files)) {
    const bytes = content instanceof Uint8Array ? content : buildParallels(content);
    Deno.writeFileSync(folder.file(name), bytes);
  }
  const path = folder.file(DESCRIPTOR);
  Deno.writeTextFileSync(path, buildDescriptor(parts));
  return path;
}

/** First byte of each of the first clusters. */
function firstBytes(path: string, count: number, request: object = {}): number[] {
  using disk = new WritableDisk(path, { request: { ...READ.request, ...request } });
  return Array.from({ length: count }, (_, n) => disk.read(n * CLUSTER, 1)[0] ?? -1);
}

Deno.test("parallels shows what the snapshots below the active image have", () => {
  using folder = new TempDirectory();
  const images = [[1, "Compressed", "a.hds"], [2, "Compressed", "b.hds"], [
    3,
    "Compressed",
    "c.hds",
  ]];
  const storages = [{ sectors: SECTORS, images: images as [number, string, string][] }];
  const path = makeBundle(folder, { storages, chain: [3, 1, 2] }, {
    "c.hds": { bat: [undefined, 0] },
    "a.hds": { bat: [undefined, undefined, 1] },
    "b.hds": { bat: [2, 3, 2, 3] },
  });
  assertEquals(firstBytes(path, 5), [3, 1, 2, 4, 0]);
});

Deno.test("parallels shows a plain file, alone and below an image", () => {
  using folder = new TempDirectory();
  const images = [[1, "Compressed", "a.hds"], [2, "Plain", "b.raw"]] as const;
  const plain = new Uint8Array(SECTORS * 512).fill(9);
  const path = makeBundle(folder, { storages: [{ sectors: SECTORS, images }], chain: [1, 2] }, {
    "a.hds": { bat: [undefined, 0] },
    "b.raw": plain,
  });
  assertEquals(firstBytes(path, 3), [9, 1, 9]);
  Deno.writeTextFileSync(
    path,
    buildDescriptor({ storages: [{ sectors: SECTORS, images }], chain: [2] }),
  );
  assertEquals(firstBytes(path, 3), [9, 9, 9]);
  Deno.truncateSync(folder.file("b.raw"), CLUSTER);
  assertThrows(() => firstBytes(path, 2), ImageFormatError, "the last 61440 of its 65536 bytes");
  assertEquals(firstBytes(path, 2, { force: true }), [9, 0]);
});

Deno.test("parallels puts the parts of a disk behind each other, whatever their order", () => {
  using folder = new TempDirectory();
  const storages = [
    { sectors: SECTORS, images: [[1, "Compressed", "a.hds"]] },
    { sectors: 16, images: [[1, "Plain", "b.raw"]] },
    { sectors: SECTORS, images: [[1, "Compressed", "c.hds"]] },
  ] as const;
  const path = makeBundle(folder, { storages }, {
    "a.hds": { bat: [0] },
    "b.raw": new Uint8Array(2 * CLUSTER).fill(9),
    "c.hds": { bat: [1, 2], isOld: true },
  });
  const expected = [1, ...Array<number>(15).fill(0), 9, 9, 2, 3];
  assertEquals(firstBytes(path, 20), expected);
  const text = Deno.readTextFileSync(path);
  const parts = [...text.matchAll(/<Storage>.*<\/Storage>/g)].map(([part]) => part);
  const reversed = text.replace(parts.join("\n"), parts.toReversed().join("\n"));
  assert(reversed !== text);
  Deno.writeTextFileSync(path, reversed);
  assertEquals(firstBytes(path, 20), expected);
  using disk = new WritableDisk(path, READ);
  assertEquals(disk.sizeBytes, (2 * SECTORS + 16) * 512);
});

Deno.test("parallels finds files that have been moved with their descriptor", () => {
  for (const name of ["/nowhere/x.hdd/a.hds", "C:\\disks\\x.hdd\\a.hds", "x.hdd/a.hds"]) {
    using folder = new TempDirectory();
    const storages = [{ sectors: SECTORS, images: [[1, "Compressed", name] as const] }];
    const path = makeBundle(folder, { storages }, { "a.hds": { bat: [3] } });
    assertEquals(firstBytes(path, 1), [4], name);
  }
});

Deno.test("parallels writes to the active image, and to no other", () => {
  using folder = new TempDirectory();
  const images = [[1, "Compressed", "a.hds"], [2, "Compressed", "b.hds"]] as const;
  const path = makeBundle(folder, { storages: [{ sectors: SECTORS, images }], chain: [1, 2] }, {
    "a.hds": { bat: [undefined, 0], stored: 1 },
    "b.hds": { bat: [2, 3, 2, 3] },
  });
  const below = Deno.readFileSync(folder.file("b.hds"));
  const disk = new WritableDisk(path, WRITE);
  disk.write(100, Uint8Array.of(8, 8));
  disk.writeZeros(2 * CLUSTER, CLUSTER);
  disk.discard(3 * CLUSTER, CLUSTER);
  const expected = new Uint8Array(4 * CLUSTER).fill(3, 0, CLUSTER).fill(8, 100, 102);
  expected.fill(1, CLUSTER, 2 * CLUSTER).fill(4, 3 * CLUSTER);
  assertEquals(disk.read(0, expected.length), expected);
  assert(disk.close());
  assertEquals(Deno.readFileSync(folder.file("b.hds")), below);
  using again = new WritableDisk(path, READ);
  assertEquals(again.read(0, expected.length), expected);
  assertEquals(judgeParallels(Deno.readFileSync(folder.file("a.hds"))).faults, []);
});

Deno.test("parallels writes to all parts of a disk, plain files among them", () => {
  using folder = new TempDirectory();
  const storages = [
    { sectors: SECTORS, images: [[1, "Compressed", "a.hds"]] },
    { sectors: 16, images: [[1, "Plain", "b.raw"]] },
    { sectors: SECTORS, images: [[1, "Compressed", "c.hds"]] },
  ] as const;
  const path = makeBundle(folder, { storages }, {
    "a.hds": { bat: [0], stored: 1 },
    "b.raw": new Uint8Array(2 * CLUSTER).fill(9),
    "c.hds": { bat: [], stored: 0, isOld: true },
  });
  const disk = new WritableDisk(path, WRITE);
  const model = disk.read(0, disk.sizeBytes).slice();
  writeAtRandom(disk, model, new Random(5), 40);
  assertEquals(disk.read(0, model.length), model);
  assert(disk.close());
  using again = new WritableDisk(path, READ);
  assertEquals(again.read(0, model.length), model);
  for (const name of ["a.hds", "c.hds"]) {
    assertEquals(judgeParallels(Deno.readFileSync(folder.file(name))).faults, []);
  }
});

Deno.test("parallels writes to a plain file that is the whole disk", () => {
  using folder = new TempDirectory();
  const storages = [{ sectors: SECTORS, images: [[1, "Plain", "b.raw"] as const] }];
  const path = makeBundle(folder, { storages }, { "b.raw": new Uint8Array(SECTORS * 512) });
  const disk = new WritableDisk(path, WRITE);
  disk.write(700, Uint8Array.of(1, 2, 3));
  assert(disk.close());
  assertEquals(
    Deno.readFileSync(folder.file("b.raw")).subarray(699, 704),
    Uint8Array.of(0, 1, 2, 3, 0),
  );
});

Deno.test("parallels describes a disk that is a folder", () => {
  using folder = new TempDirectory();
  const images = [[1, "Compressed", "a.hds"], [2, "Compressed", "b.hds"]] as const;
  const path = makeBundle(folder, { storages: [{ sectors: SECTORS, images }], chain: [1, 2] }, {});
  using file = openImageFile(path);
  assertEquals(parallels.info?.(file), {
    format: "parallels",
    sizeBytes: SECTORS * 512,
    clusterBytes: CLUSTER,
    specific: { type: "parallels", data: { files: ["a.hds"], snapshots: 1 } },
  });
});

Deno.test("parallels takes what Parallels calls the disk without snapshots where none is active", () => {
  using folder = new TempDirectory();
  const storages = [{ sectors: SECTORS, images: [[1, "Compressed", "a.hds"] as const] }];
  const path = makeBundle(folder, { storages }, { "a.hds": { bat: [3] } });
  const text = Deno.readTextFileSync(path).replace(/<TopGUID>.*<\/TopGUID>/, "");
  const own = "{5fbaabe3-6958-40ff-92a7-860e329aab41}";
  Deno.writeTextFileSync(path, text.replaceAll(/\{0{8}.{27}1\}/g, own.toUpperCase()));
  assertEquals(firstBytes(path, 1), [4]);
});

const ONE = [{ sectors: SECTORS, images: [[1, "Compressed", "a.hds"]] }] as const;
const DAMAGED: readonly [message: string, parts: BundleParts][] = [
  ["it has no Storage", { storages: [] }],
  ["not the whole disk", { storages: ONE, parameters: { Disk_size: "5" } }],
  ["its Disk_size is no number", { storages: ONE, parameters: { Disk_size: "0x5" } }],
  ["its Disk_size is no number", { storages: ONE, parameters: { Disk_size: "9".repeat(16) } }],
  ["a part of it has no size", { storages: [...ONE, { ...ONE[0], sectors: 0 }] }],
  ["lacks the image {00000000-0000-0000-0000-000000000002}", { storages: ONE, chain: [1, 2] }],
  ["of the type 'Flat'", { storages: [{ sectors: 8, images: [[1, "Flat", "a"]] }] }],
  ["without a file", { storages: [{ sectors: 8, images: [[1, "Plain", ""]] }] }],
  ["it has 65536 bytes, not 4096", { storages: [{ ...ONE[0], sectors: 8 }] }],
  ["a plain file lies over", {
    storages: [{ sectors: SECTORS, images: [[2, "Compressed", "a.hds"], [1, "Plain", "b.raw"]] }],
    chain: [1, 2],
  }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`parallels refuses a descriptor: ${message}, ${JSON.stringify(parts.parameters)}`, () => {
    using folder = new TempDirectory();
    const path = makeBundle(folder, parts, { "a.hds": {}, "b.raw": new Uint8Array(SECTORS * 512) });
    assertThrows(() => new WritableDisk(path, READ), ImageFormatError, message);
  });
}

const UNSUPPORTED: readonly [message: string, parts: BundleParts, readOnly?: false][] = [
  ["padding", { storages: ONE, parameters: { Padding: "1" } }],
  ["encryption", { storages: ONE, parameters: { Encryption: "<Engine>{1}</Engine>" } }],
  ["parts that end within a cluster", {
    storages: [{ sectors: 9, images: [[1, "Plain", "b.raw"]] }, ONE[0]],
  }, false],
  ["parts with clusters of different sizes", {
    storages: [ONE[0], { sectors: 16 * 63, images: [[1, "Compressed", "odd.hds"]] }],
  }, false],
];

for (const [message, parts, readOnly = true] of UNSUPPORTED) {
  Deno.test(`parallels refuses by name: ${message}`, () => {
    using folder = new TempDirectory();
    const path = makeBundle(folder, parts, { "a.hds": {}, "b.raw": new Uint8Array(SECTORS * 512) });
    Deno.writeFileSync(folder.file("odd.hds"), buildParallels({ tracks: 63 }));
    const request = { format: "PARALLELS", readOnly };
    assertThrows(() => new WritableDisk(path, { request }), UnsupportedFeatureError, message);
  });
}

Deno.test("parallels refuses snapshots that lie on themselves", () => {
  using folder = new TempDirectory();
  const path = makeBundle(folder, { storages: ONE, chain: [1, 2] }, { "a.hds": {} });
  const parent = (n: number): string => `<ParentGUID>${guid(n)}</ParentGUID>`;
  const text = Deno.readTextFileSync(path).replace(parent(0), parent(1));
  Deno.writeTextFileSync(path, text);
  assertThrows(() => new WritableDisk(path, READ), ImageFormatError, "are a loop");
});

Deno.test("parallels says which file of a disk is missing", () => {
  using folder = new TempDirectory();
  const path = makeBundle(folder, { storages: ONE }, {});
  assertThrows(() => new WritableDisk(path, READ), RelatedFileError, "a.hds");
});

Deno.test("parallels tells descriptors from other texts", () => {
  const isText = (text: string): boolean | undefined =>
    parallels.isTextOf?.(new TextEncoder().encode(text));
  assertEquals(isText(buildDescriptor({ storages: ONE })), true);
  assertEquals(isText("\ufeff<!-- x -->\r\n<Parallels_disk_image>"), true);
  assertEquals(isText("<?xml version='1.0'?><plist>"), false);
  assertEquals(isText("text <Parallels_disk_image>"), false);
});

Deno.test("parallels survives damaged descriptors, and opens nothing elsewhere", () => {
  using folder = new TempDirectory();
  const images = [[1, "Compressed", "a.hds"], [2, "Plain", "b.raw"]] as const;
  const parts = { storages: [{ sectors: SECTORS, images }], chain: [1, 2] };
  const path = makeBundle(folder, parts, {
    "a.hds": { bat: [undefined, 0] },
    "b.raw": new Uint8Array(SECTORS * 512),
  });
  const original = Deno.readTextFileSync(path);
  const random = randomNumbers(41);
  let opened = 0;
  for (let n = 0; n < 1000; n++) {
    Deno.writeTextFileSync(path, damaged(original, random));
    try {
      using disk = new WritableDisk(path, READ);
      disk.read(0, Math.min(disk.sizeBytes, CLUSTER));
      opened++;
    } catch (error) {
      const isExpected = error instanceof ImageFormatError ||
        error instanceof UnsupportedFeatureError || error instanceof RelatedFileError;
      if (!isExpected) throw new Error(`mutation ${n}`, { cause: error });
    }
  }
  assertGreater(opened, 100);
});

/** A text with some bytes of it changed, taken out, or doubled. */
function damaged(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  const length = Math.floor(random() ** 3 * 40);
  const piece = text.slice(at, at + length);
  const kind = Math.floor(random() * 4);
  if (kind === 0) return text.slice(0, at) + text.slice(at + length);
  if (kind === 1) return text.slice(0, at) + piece + text.slice(at);
  if (kind === 2) return text.slice(0, at) + "<>/&'\"{}0-"[at % 10] + text.slice(at + 1);
  return text.slice(0, at) + `${Math.floor(random() * 2 ** 40)}` + text.slice(at + length);
}
