// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  FEATURE_DIRTY_BITMAP,
  FEATURE_NECESSARY,
  HEADER,
  IN_USE,
} from "../../../src/format/parallels/layout.ts";
import { parallels } from "../../../src/format/parallels/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import { buildParallels, dataStart, type ParallelsParts } from "./image_builder.ts";

const KINDS: readonly ParallelsParts[] = [
  {},
  { tracks: 63 },
  { isOld: true },
  { isOld: true, tracks: 63 },
];

function opened(folder: TempDirectory, parts: ParallelsParts): OpenedImage {
  const path = folder.file("disk.hds");
  Deno.writeFileSync(path, buildParallels(parts));
  return new OpenedImage(path, parallels);
}

function nameOf({ tracks = 8, isOld = false }: ParallelsParts): string {
  return `${tracks} sectors, ${isOld ? "the older ones" : "the newer ones"}`;
}

for (const kind of KINDS) {
  const cluster = (kind.tracks ?? 8) * 512;

  Deno.test(`parallels joins clusters that lie behind each other: of ${nameOf(kind)}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, { ...kind, bat: [1, 2, undefined, undefined, 3, 0] });
    const runs = [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
      mapping.kind,
      mapping.lengthBytes / cluster,
    ]);
    const { Data, Backing } = Extent;
    assertEquals(runs, [[Data, 2], [Backing, 2], [Data, 1], [Data, 1], [Backing, 10]]);
    assertEquals(image.read(2 * cluster - 1, 2), Uint8Array.of(3, 0));
    assertEquals(image.read(5 * cluster - 1, 2), Uint8Array.of(4, 1));
  });

  Deno.test(`parallels shows what a file that was cut off has: of ${nameOf(kind)}`, () => {
    using folder = new TempDirectory();
    const path = folder.file("short.hds");
    Deno.writeFileSync(path, buildParallels({ ...kind, bat: [1, 2] }));
    Deno.truncateSync(path, dataStart(kind) + cluster + 512);
    using image = new OpenedImage(path, parallels);
    assertEquals(image.read(511, 2), Uint8Array.of(2, 0));
    assertThrows(() => image.read(cluster, 1), ImageFormatError, "is not in the file");
    assertThrows(() => image.read(cluster - 1, 2), ImageFormatError, "is not in the file");
  });
}

Deno.test("parallels has zeros where the disk is longer than the BAT", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { bat: [0], header: { nb_sectors: 200n } });
  assertEquals(image.image.sizeBytes, 200 * 512);
  assertEquals(image.read(199 * 512, 512), new Uint8Array(512));
  assertEquals(image.read(16 * 8 * 512 - 1, 2), new Uint8Array(2));
});

Deno.test("parallels takes only the lower half of the size of an older image", () => {
  for (const [isOld, sectors] of [[true, 100], [false, 100 + 2 ** 32]] as const) {
    using folder = new TempDirectory();
    using image = opened(folder, { isOld, header: { nb_sectors: 2n ** 32n + 100n } });
    assertEquals(image.image.sizeBytes, sectors * 512);
  }
});

Deno.test("parallels throws at an entry that leads into the header or the BAT", () => {
  for (const [isOld, entry] of [[true, 2], [true, 1], [false, 1]] as const) {
    using folder = new TempDirectory();
    const path = folder.file("disk.hds");
    const bytes = buildParallels({ isOld, bat: [0], header: isOld ? {} : { data_off: 16 } });
    new DataView(bytes.buffer).setUint32(64, entry, true);
    Deno.writeFileSync(path, bytes);
    using image = new OpenedImage(path, parallels);
    assertThrows(() => image.read(0, 1), ImageFormatError, "refers to no cluster");
  }
});

Deno.test("parallels reads an image of a terabyte in little memory", () => {
  using folder = new TempDirectory();
  const path = folder.file("large.hds");
  const header = { bat_entries: 2 ** 20, nb_sectors: 2n ** 31n };
  Deno.writeFileSync(path, buildParallels({ tracks: 2048, header, stored: 0 }));
  Deno.truncateSync(path, 2 ** 23);
  const before = Deno.memoryUsage().external;
  using image = new OpenedImage(path, parallels);
  assertEquals(image.read(2 ** 40 - 1, 1), Uint8Array.of(0));
  assert(Deno.memoryUsage().external - before < 32 * 2 ** 20);
});

const DAMAGED: readonly [message: string, parts: ParallelsParts][] = [
  ["this is no Parallels image", { header: { magic: new Uint8Array(16) } }],
  ["clusters of 0 sectors are not possible", { header: { tracks: 0 } }],
  ["clusters of 4194304000 sectors", { header: { tracks: 4194304000 } }],
  ["the BAT lies outside the file", { header: { bat_entries: 2 ** 32 - 1 } }],
  ["the extension is not in the file", { header: { ext_off: 100n } }],
  ["the extension is not in the file", { header: { ext_off: 2n ** 64n - 1n } }],
  ["there is no extension", { header: { ext_off: 8n } }],
  ["the extension has no end", {
    features: [{ magic: 7n, flags: 0n, data_size: 2 ** 32 - 1 }],
  }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`parallels refuses damage: ${message} (${Object.entries(parts.header ?? {})})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

const UNSUPPORTED: readonly [message: string, parts: ParallelsParts][] = [
  ["version 3", { header: { version: 3 } }],
  ["the extension 0x7", { features: [{ magic: 7n, flags: FEATURE_NECESSARY, data_size: 0 }] }],
];

for (const [message, parts] of UNSUPPORTED) {
  Deno.test(`parallels refuses by name: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), UnsupportedFeatureError, message);
  });
}

Deno.test("parallels reads what has extensions that need not be known", () => {
  using folder = new TempDirectory();
  const features = [
    { magic: FEATURE_DIRTY_BITMAP, flags: FEATURE_NECESSARY, data_size: 0 },
    { magic: 7n, flags: 2n, data_size: 0 },
  ];
  using image = opened(folder, { bat: [3], features });
  assertEquals(image.read(0, 1), Uint8Array.of(4));
});

Deno.test("parallels refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = folder.file("short");
  Deno.writeFileSync(path, buildParallels().subarray(0, HEADER.sizeBytes - 1));
  assertThrows(() => new OpenedImage(path, parallels), ImageFormatError, "too short");
});

Deno.test("parallels describes an image that is in use", () => {
  using folder = new TempDirectory();
  const path = folder.file("open.hds");
  Deno.writeFileSync(path, buildParallels({ header: { inuse: IN_USE } }));
  using file = openImageFile(path);
  assertEquals(parallels.info?.(file), {
    format: "parallels",
    sizeBytes: 16 * 4096,
    clusterBytes: 4096,
    dirty: true,
  });
});
