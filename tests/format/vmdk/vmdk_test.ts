// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { HOSTED_HEADER } from "../../../src/format/vmdk/layout.ts";
import { vmdk } from "../../../src/format/vmdk/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import {
  buildExtent,
  buildVmdk,
  type ExtentParts,
  GRAIN,
  GRAINS,
  TABLE_ENTRIES,
} from "./image_builder.ts";

function opened(folder: TempDirectory, parts: ExtentParts): OpenedImage {
  const path = folder.file("disk.vmdk");
  Deno.writeFileSync(path, buildVmdk(parts));
  return new OpenedImage(path, vmdk);
}

function runs(image: OpenedImage): readonly (readonly [number, number])[] {
  return [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes / GRAIN,
  ]);
}

const { Data, Backing, Zero } = Extent;

Deno.test("vmdk joins grains that are stored behind each other, and those that are not stored", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [1, 2, "none", "none", "zero", "zero", 3, 0] });
  assertEquals(runs(image), [[Data, 2], [Backing, 2], [Zero, 2], [Data, 1], [Data, 1]]);
  assertEquals(image.read(2 * GRAIN - 1, 2), Uint8Array.of(3, 0));
  assertEquals(image.read(7 * GRAIN - 1, 2), Uint8Array.of(4, 1));
});

Deno.test("vmdk finds grains by several tables, and has none of a table that is not there", () => {
  using folder = new TempDirectory();
  const map = Array.from({ length: 3 * TABLE_ENTRIES }, (_, n) => n % TABLE_ENTRIES);
  const path = folder.file("disk.vmdk");
  const bytes = buildVmdk({ map, stored: TABLE_ENTRIES });
  // The directory's second entry.
  new DataView(bytes.buffer).setUint32(6 * 512 + 4, 0, true);
  Deno.writeFileSync(path, bytes);
  using image = new OpenedImage(path, vmdk);
  assertEquals(runs(image), [[Data, 16], [Backing, 16], [Data, 16]]);
  assertEquals(image.read(2 * TABLE_ENTRIES * GRAIN - 1, 2), Uint8Array.of(0, 1));
});

Deno.test("vmdk takes a 1 for a place where the header does not say that it means zeros", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: ["zero"], header: { flags: 3 } });
  assertEquals(runs(image), [[Data, 1]]);
});

Deno.test("vmdk goes by the capacity of the header, not by the extent's line", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { map: [0, 1, 2, 3], header: { capacity: 9n } });
  assertEquals(image.image.sizeBytes, 9 * 512);
  assertEquals(image.read(GRAIN - 1, 2), Uint8Array.of(1, 2));
});

Deno.test("vmdk shows what a file that was cut off has of a grain, and throws at those it has not", () => {
  using folder = new TempDirectory();
  const path = folder.file("short.vmdk");
  Deno.writeFileSync(path, buildVmdk({ map: [1, 2] }));
  Deno.truncateSync(path, GRAINS + GRAIN + 512);
  using image = new OpenedImage(path, vmdk);
  assertEquals(image.read(511, 2), Uint8Array.of(2, 0));
  assertThrows(() => image.read(GRAIN - 1, 2), ImageFormatError, "is not in the file");
  const error = assertThrows(() => image.read(GRAIN, 1), ImageFormatError, "is not in the file");
  assertEquals(error.hostOffset, GRAINS + 2 * GRAIN);
});

Deno.test("vmdk throws at a table that is not in the file", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.vmdk");
  const bytes = buildVmdk({ map: [1] });
  new DataView(bytes.buffer).setUint32(6 * 512, 0xffffffff, true);
  Deno.writeFileSync(path, bytes);
  using image = new OpenedImage(path, vmdk);
  assertThrows(() => image.read(0, 1), ImageFormatError, "the grain table at 0x1fffffffe00 is not");
});

Deno.test("vmdk describes an image by its identifiers", () => {
  using folder = new TempDirectory();
  const path = folder.file("child.vmdk");
  const uuid = "12345678-1234-1234-1234-123456789abc";
  const fields = {
    "parentCID": "12",
    "parentFileNameHint": '"a\\b.vmdk"',
    "ddb.uuid.image": `"${uuid}"`,
    "ddb.uuid.modification": '"00000000-0000-0000-0000-000000000000"',
  };
  Deno.writeFileSync(path, buildVmdk({ map: [0], header: { unclean: 1 } }, fields));
  using file = openImageFile(path);
  const { specific, ...info } = vmdk.info?.(file) ?? {};
  assertEquals(info, {
    format: "vmdk",
    sizeBytes: GRAIN,
    clusterBytes: GRAIN,
    dirty: true,
    identity: { id: uuid, contentId: "1234abcd" },
    parent: {
      format: "VMDK",
      identity: { contentId: "00000012" },
      names: [{ kind: "plain", path: "a\\b.vmdk" }, { kind: "windows", path: "a\\b.vmdk" }],
    },
  });
  assertEquals(specific?.data["parent-cid"], 0x12);
});

const DAMAGED: readonly [message: string, header: ExtentParts["header"]][] = [
  ["this is no VMDK image", { magic: Uint8Array.of(1, 2, 3, 4) }],
  ["damaged when it was transferred as text", { newlines: Uint8Array.of(10, 32, 10, 10) }],
  ["grains of 0 sectors", { grain_size: 0n }],
  ["grains of 4 sectors", { grain_size: 4n }],
  ["grains of 24 sectors", { grain_size: 24n }],
  ["grains of 4194304 sectors", { grain_size: 0x40_0000n }],
  ["grains of 9223372036854775808 sectors", { grain_size: 1n << 63n }],
  ["grain tables of 0 entries", { table_entries: 0 }],
  ["grain tables of 513 entries", { table_entries: 513 }],
  ["the directory is too large", { capacity: 1n << 60n }],
  ["directory of grain tables lies outside", { directory: 1n << 50n }],
  ["directory of grain tables lies outside", { directory: 0n }],
  ["directory of grain tables lies outside", { redundant_directory: (1n << 64n) - 1n }],
  ["the file is cut off: it has less than", { overhead: 1n << 40n }],
  ["the descriptor cannot be where", { descriptor_offset: 1n << 40n }],
  ["the descriptor cannot be where", { descriptor_size: 2049n }],
  ["the descriptor has no extents", { capacity: 0n, descriptor_offset: 6n }],
];

for (const [message, header = {}] of DAMAGED) {
  Deno.test(`vmdk refuses damage: ${message} (${Object.entries(header)})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { map: [0], header }), ImageFormatError, message);
  });
}

Deno.test("vmdk refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = folder.file("short");
  Deno.writeFileSync(path, buildVmdk().subarray(0, HOSTED_HEADER.sizeBytes - 1));
  assertThrows(() => new OpenedImage(path, vmdk), ImageFormatError, "too short");
});

const UNSUPPORTED: readonly [message: string, header: ExtentParts["header"]][] = [
  ["version 0", { version: 0 }],
  ["version 4", { version: 4 }],
  ["extents in other files", { capacity: 0n }],
];

for (const [message, header = {}] of UNSUPPORTED) {
  Deno.test(`vmdk refuses by name: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { map: [0], header }), UnsupportedFeatureError, message);
  });
}

oracleTest(
  "vmdk refuses a piece that qemu has made, which has an empty descriptor",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const options = ["-o", "subformat=twoGbMaxExtentSparse"];
    await must(
      "qemu-img",
      "create",
      "-q",
      "-f",
      "vmdk",
      ...options,
      folder.file("disk.vmdk"),
      "1M",
    );
    const open = (): unknown => new OpenedImage(folder.file("disk-s001.vmdk"), vmdk);
    assertThrows(open, ImageFormatError, "which may be disk.vmdk (--force");
  },
);

Deno.test("vmdk refuses a piece, and says what its descriptor may be called; or takes it by force", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk one-s001.vmdk");
  Deno.writeFileSync(path, buildExtent({ map: [0] }));
  const message = "this is a piece of an image, not the file that describes it; " +
    "name its descriptor, which may be disk one.vmdk (--force takes it as a disk of its own)";
  assertThrows(() => new OpenedImage(path, vmdk), ImageFormatError, message);
  using image = new OpenedImage(path, vmdk, { readOnly: true, force: true });
  assertEquals(image.read(0, 1), Uint8Array.of(1));
  for (const [name, other] of [["x-flat", "x"], ["x-000002-delta", "x-000002"]] as const) {
    const flat = folder.file(`${name}.vmdk`);
    Deno.writeFileSync(flat, new Uint8Array(4096));
    assertThrows(
      () => new OpenedImage(flat, vmdk),
      ImageFormatError,
      `this is no VMDK image; name its descriptor, which may be ${other}.vmdk`,
    );
  }
});
