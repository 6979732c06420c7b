// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { vmdk } from "../../../src/format/vmdk/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { descriptor, GRAIN } from "./image_builder.ts";
import { buildStream, type StreamParts } from "./stream_builder.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "VMDK", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const DIRECTORIES = ["front", "footer"] as const;

function written(folder: TempDirectory, bytes: Uint8Array, name = "disk.vmdk"): string {
  const path = folder.file(name);
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: StreamParts): OpenedImage {
  return new OpenedImage(written(folder, buildStream(parts).bytes), vmdk);
}

/** The whole disk, as the program reads it. */
function read(path: string): Uint8Array {
  using access = openImage(openImageFile(path), REQUEST);
  return readDisk(access, 0, access.sizeBytes);
}

function full(byte: number, lengthBytes = GRAIN): Uint8Array {
  return new Uint8Array(lengthBytes).fill(byte);
}

/** Random bytes, which compression makes longer. */
function noise(): Uint8Array {
  const random = randomNumbers(3);
  return Uint8Array.from({ length: GRAIN }, () => random() * 256);
}

/** More than one table of them. */
const GRAINS = [full(1), undefined, noise(), ...Array(20).fill(undefined), full(9)];

for (const directory of DIRECTORIES) {
  Deno.test(`vmdk reads a stream whose directory is in the ${directory}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, { grains: GRAINS, directory });
    const runs = [...image.extents(0, 5 * GRAIN)].map(({ mapping }) => [
      mapping.kind,
      mapping.lengthBytes,
    ]);
    assertEquals(runs, [
      [Extent.Packed, GRAIN],
      [Extent.Backing, GRAIN],
      [Extent.Packed, GRAIN],
      [Extent.Backing, 2 * GRAIN],
    ]);
    assert(sameBytes(image.read(2 * GRAIN, GRAIN), noise()));
    assertEquals(image.read(23 * GRAIN - 1, 2), Uint8Array.of(0, 9));
  });

  oracleTest(`vmdk and qemu agree on a stream built here: ${directory}`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const path = written(folder, buildStream({ grains: GRAINS, directory }).bytes);
    const raw = folder.file("disk.raw");
    await must("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, raw);
    assert(sameBytes(read(path), readRange(raw, 0, GRAINS.length * GRAIN)));
  });
}

Deno.test("vmdk takes a last grain that is stored as far as the disk goes, or as a whole", () => {
  for (const length of [1024, 2048, GRAIN]) {
    using folder = new TempDirectory();
    using image = opened(folder, { grains: [full(1), full(2, length)], sectors: 10 });
    assertEquals(image.image.sizeBytes, 5120);
    assertEquals(image.read(GRAIN - 1, 1025), Uint8Array.of(1, ...full(2, 1024)));
  }
});

Deno.test("vmdk goes by the footer, not by the header that was written before all was known", () => {
  using folder = new TempDirectory();
  using image = opened(folder, {
    grains: [full(1)],
    header: { capacity: 0n },
    footer: { capacity: 8n },
  });
  assertEquals(image.image.sizeBytes, GRAIN);
});

Deno.test("vmdk needs no redundant directory of a stream, whatever its flags say", () => {
  using folder = new TempDirectory();
  const header = { flags: 0x30003, redundant_directory: 0n };
  using image = opened(folder, { grains: [full(1)], directory: "front", header });
  assertEquals(image.read(0, 1), Uint8Array.of(1));
});

Deno.test("vmdk joins streams that a descriptor names, read-only ones too", () => {
  using folder = new TempDirectory();
  for (const [name, byte] of [["a", 1], ["b", 2]] as const) {
    written(folder, buildStream({ grains: [full(byte), undefined, full(byte)] }).bytes, name);
  }
  const text = descriptor(['RDONLY 24 SPARSE "a"', "RW 8 ZERO", 'RDONLY 24 SPARSE "b"']);
  const bytes = read(written(folder, new TextEncoder().encode(text)));
  const grains = Array.from({ length: 7 }, (_, n) => bytes[n * GRAIN + 5]);
  assertEquals(grains, [1, 0, 1, 0, 2, 0, 2]);
});

Deno.test("vmdk does not write to streams, whatever a descriptor calls them", () => {
  using folder = new TempDirectory();
  const path = written(folder, buildStream({ grains: [full(1)] }).bytes, "a");
  const text = new TextEncoder().encode(descriptor(['RW 8 SPARSE "a"']));
  for (const image of [path, written(folder, text)]) {
    const file = openImageFile(image, { readOnly: false });
    const request = { ...REQUEST, readOnly: false };
    assertThrows(() => openImage(file, request), UnsupportedFeatureError, "written to");
  }
});

Deno.test("vmdk says that a stream is incomplete which was cut off, or has something behind it", () => {
  const { bytes } = buildStream({ grains: GRAINS });
  const longer = new Uint8Array(bytes.length + 512);
  longer.set(bytes);
  for (
    const damaged of [
      bytes.subarray(0, -1),
      bytes.subarray(0, -512),
      bytes.subarray(0, 5000),
      longer,
    ]
  ) {
    using folder = new TempDirectory();
    const path = written(folder, damaged);
    assertThrows(() => new OpenedImage(path, vmdk), ImageFormatError, "the file is incomplete");
  }
});

/** What only shows when the first grain is read. */
const DAMAGED: readonly [message: string, parts: Omit<StreamParts, "grains">][] = [
  ["the grain 0 at 0xa00 has the marker of another one", {
    markers: new Map([[0, { sector: 8 }]]),
  }],
  ["the grain 0 at 0xa00 cannot have 0 bytes", { markers: new Map([[0, { size: 0 }]]) }],
  ["cannot have 8193 bytes", { markers: new Map([[0, { size: 2 * GRAIN + 1 }]]) }],
  ["is not all in the file", { markers: new Map([[0, { size: 2 * GRAIN }]]) }],
  ["cannot be decompressed", { markers: new Map([[0, { size: 10 }]]) }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`vmdk throws at a damaged grain of a stream: ${message}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, { ...parts, grains: [full(1)] });
    assertThrows(() => image.read(0, 1), ImageFormatError, message);
  });
}

const REFUSED: readonly [feature: string, header: NonNullable<StreamParts["header"]>][] = [
  ["compressed grains without markers", { flags: 0x10001 }],
  ["the compression method 2", { compression: 2 }],
  ["compressed grains of 134217728 bytes", { grain_size: 0x40000n, directory: 1n }],
];

for (const [feature, header] of REFUSED) {
  Deno.test(`vmdk refuses streams with ${feature}`, () => {
    using folder = new TempDirectory();
    const parts = { grains: [full(1)], header };
    assertThrows(() => opened(folder, parts), UnsupportedFeatureError, feature);
  });
}

oracleTest("vmdk and qemu agree on subformat=streamOptimized", IMAGE_TOOLS, async () => {
  for (const [seed, sizeBytes] of [512, MIB, 40 * MIB + 512].entries()) {
    using folder = new TempDirectory();
    const [path, raw] = [folder.file("disk.vmdk"), folder.file("disk.raw")];
    await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
    await fillDisk(raw, "raw", { sizeBytes, seed });
    const options = "subformat=streamOptimized";
    await must("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", options, raw, path);
    assert(sameBytes(read(path), readRange(raw, 0, sizeBytes)));
  }
});

/** VirtualBox makes disks of whole mebibytes. */
virtualBoxTest("vmdk reads the streams that VirtualBox makes", async (box) => {
  for (const sizeBytes of [MIB, 7 * MIB + 512]) {
    const raw = box.file(`${sizeBytes}.raw`);
    await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
    await fillDisk(raw, "raw", { sizeBytes, seed: 3 });
    const path = box.file(`${sizeBytes}.vmdk`);
    await box.convert(raw, "RAW", path, "--dstformat", "VMDK", "--variant", "Stream");
    const ours = read(path);
    assert(sameBytes(ours.subarray(0, sizeBytes), readRange(raw, 0, sizeBytes)));
    // VirtualBox makes disks longer that are no whole number of grains.
    assert(ours.subarray(sizeBytes).every((byte) => byte === 0), `${ours.length} bytes`);
  }
});
