// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { openImage, openSharedImage } from "../../../src/disk/open.ts";
import type { ImageRequest } from "../../../src/disk/request.ts";
import { readDisk } from "../../support/disk.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { buildExtent, buildVmdk, descriptor, GRAIN } from "./image_builder.ts";

const REQUEST = { format: "VMDK", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const SECTORS = GRAIN / 512;

/** A folder with pieces: two sparse ones of two grains each, and a flat one of ten sectors. */
class Scene extends TempDirectory {
  constructor() {
    super();
    this.put("x-s001.vmdk", buildExtent({ map: [0, 1] }));
    this.put("x-s002.vmdk", buildExtent({ map: ["none", 3] }));
    this.put("x-flat.vmdk", Uint8Array.from({ length: 5120 }, (_, at) => 0x10 + at / 512));
  }

  put(name: string, bytes: Uint8Array | string): string {
    const path = this.file(name);
    Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    return path;
  }

  /** The first byte of each sector of what a descriptor describes. */
  sectors(text: string | Uint8Array, more: Partial<ImageRequest> = {}): number[] {
    using access = openImage(openImageFile(this.put("x.vmdk", text)), { ...REQUEST, ...more });
    const bytes = readDisk(access, 0, access.sizeBytes);
    return Array.from({ length: bytes.length / 512 }, (_, n) => bytes[n * 512] ?? -1);
  }
}

const grain = (byte: number): number[] => Array(SECTORS).fill(byte);

Deno.test("vmdk joins extents of several kinds in the order of their lines", () => {
  using scene = new Scene();
  const text = descriptor([
    'RW 2 FLAT "x-flat.vmdk" 3',
    'RW 16 SPARSE "x-s001.vmdk"',
    "RW 3 ZERO",
    'RDONLY 1 VMFS "x-flat.vmdk"',
    'RW 16 SPARSE "x-s002.vmdk"',
  ]);
  const all = [0x13, 0x14, ...grain(1), ...grain(2), 0, 0, 0, 0x10, ...grain(0), ...grain(4)];
  assertEquals(scene.sectors(text), all);
});

Deno.test("vmdk understands descriptors as other programs and people write them", () => {
  using scene = new Scene();
  const texts = [
    '# a comment\r\n\r\nVERSION = 2 \r\nrw 2 flat "x-flat.vmdk" 0\r\n',
    '# Disk DescriptorFile\nversion=1\n  RW\t2  FLAT\t"x-flat.vmdk"  0  uuid device\n\0\0\0junk',
    'version=1\nencoding="GBK"\nRW 2 FLAT "C:\\VMs\\x-flat.vmdk" 0',
    'version=1\nRW 2 FLAT "/nowhere/at all/x-flat.vmdk" 0\nRW 0 ZERO\n',
  ];
  for (const text of texts) assertEquals(scene.sectors(text), [0x10, 0x11], text);
});

Deno.test("vmdk takes names in the descriptor's encoding", () => {
  using scene = new Scene();
  const name = "Festplatte für alle-flat.vmdk";
  scene.put(name, Uint8Array.of(...new Uint8Array(512).fill(9)));
  const latin = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const text = `version=1\nencoding="windows-1252"\nRW 1 FLAT "${name}" 0\n`;
  assertEquals(scene.sectors(latin(text)), [9]);
  assertEquals(scene.sectors(text.replace("windows-1252", "UTF-8")), [9]);
  assertEquals(scene.sectors(text.replace("windows-1252", "no such thing")), [9]);
});

Deno.test("vmdk follows the lines of an extent without a capacity", () => {
  using scene = new Scene();
  const bytes = buildExtent({
    header: { capacity: 0n },
    descriptor: descriptor(['RW 1 FLAT "x-flat.vmdk" 9']),
  });
  assertEquals(scene.sectors(bytes), [0x19]);
});

Deno.test("vmdk does not go by the name in an embedded descriptor", () => {
  using scene = new Scene();
  assertEquals(scene.sectors(buildVmdk({ map: [2] })), grain(3));
});

Deno.test("vmdk shows zeros for what a flat file has not if that is forced", () => {
  using scene = new Scene();
  const text = descriptor(['RW 11 FLAT "x-flat.vmdk" 0']);
  assertThrows(() => scene.sectors(text), Error, "lacks the last 512 of its 5632 bytes (--force");
  assertEquals(scene.sectors(text, { force: true }).at(-1), 0);
});

const REFUSED: readonly [message: string, line: string][] = [
  [
    "x-s001.vmdk: the extent has 8192 bytes, its descriptor says 8704",
    'RW 17 SPARSE "x-s001.vmdk"',
  ],
  ["x-flat.vmdk: this is no sparse extent", 'RW 1 SPARSE "x-flat.vmdk"'],
  ["extents without access (NOACCESS) are not supported", "NOACCESS 1 ZERO"],
  ["extents of the type VMFSRDM are not supported", 'RW 1 VMFSRDM "x-flat.vmdk"'],
  ["the extent 'RW 1' cannot be understood", "RW 1"],
  ["the extent 'RW x FLAT' cannot be understood", "RW x FLAT"],
  [`the extent 'RW ${"x".repeat(197)}...' cannot be understood`, `RW ${"x".repeat(50_000)}`],
  [`the extent 'RW 9999999999999999 FLAT "x" 0'`, 'RW 9999999999999999 FLAT "x" 0'],
  ["there is an extent without a file", "RW 1 FLAT"],
  ["nowhere.vmdk (piece of", 'RW 1 FLAT "nowhere.vmdk" 0'],
  ["x-s001.vmdk: a sparse extent shares its file", 'RW 16 SPARSE "x-s001.vmdk"\n'.repeat(2)],
  ["shares its file", 'RW 16 SPARSE "x-s001.vmdk"\nRW 1 FLAT "x-s001.vmdk" 0'],
  ["shares its file", 'RW 1 FLAT "x-s001.vmdk" 0\nRW 16 SPARSE "x-s001.vmdk"'],
  ["Is a directory", 'RW 1 FLAT "." 0'],
];

for (const [message, line] of REFUSED) {
  Deno.test(`vmdk refuses an extent: ${message}`, () => {
    using scene = new Scene();
    assertThrows(() => scene.sectors(descriptor([line])), Error, message);
  });
}

Deno.test("vmdk refuses disks that are too large, or consist of too many extents", () => {
  using scene = new Scene();
  const large = Array(3).fill(`RW ${2 ** 43} ZERO`);
  assertThrows(() => scene.sectors(descriptor(large)), Error, "a disk of 8 PiB or more");
  const many = Array(4097).fill("RW 1 ZERO");
  assertThrows(() => scene.sectors(descriptor(many)), Error, "more than 4096 extents");
});

Deno.test("vmdk takes no file for a piece that the image may not name", () => {
  using scene = new Scene();
  using other = new TempDirectory();
  const secret = other.file("secret");
  Deno.writeFileSync(secret, new Uint8Array(512).fill(5));
  const text = descriptor([`RW 1 FLAT "${secret}" 0`]);
  assertEquals(scene.sectors(text), [5]);
  Deno.chmodSync(scene.file("x.vmdk"), 0o666);
  assertThrows(() => scene.sectors(text), Error, "not allowed: others may write to the image");
  assertEquals(scene.sectors(text, { allowBacking: [other.path] }), [5]);
});

Deno.test("vmdk is opened once more by another thread, with all of its pieces and a parent's", () => {
  using scene = new Scene();
  scene.put("base.vmdk", descriptor(['RW 10 FLAT "x-flat.vmdk" 0', 'RW 16 SPARSE "x-s001.vmdk"']));
  scene.put("c.vmdk", buildExtent({ map: ["none", "zero", 2] }));
  const fields = { parentCID: "1234abcd", parentFileNameHint: '"/gone/base.vmdk"' };
  const text = descriptor(['RW 24 SPARSE "/gone/c.vmdk"'], fields);
  using access = openImage(openImageFile(scene.put("x.vmdk", text)), REQUEST);
  const { sharedFiles: files, sharedPieces: shared } = access;
  assertEquals(files.length, 5);
  using again = openSharedImage({ image: REQUEST, files, pieces: shared });
  const bytes = readDisk(access, 0, access.sizeBytes);
  assertEquals([bytes[0], bytes[512 * 7], bytes[512 * 8], bytes[512 * 16]], [0x10, 0x17, 0, 3]);
  assertEquals(readDisk(again, 0, again.sizeBytes), bytes);
});
