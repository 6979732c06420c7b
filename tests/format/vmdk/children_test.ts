// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { inspect } from "../../../src/disk/inspect.ts";
import { openImage } from "../../../src/disk/open.ts";
import type { ImageRequest } from "../../../src/disk/request.ts";
import { RelatedFileError } from "../../../src/image/errors.ts";
import { readDisk } from "../../support/disk.ts";
import { fillDisk } from "../../support/filled_disk.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { virtualBoxTest } from "../../support/virtualbox.ts";
import { openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { buildExtent, buildVmdk, descriptor, GRAIN } from "./image_builder.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "VMDK", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

/** The whole disk, as the program reads it. */
function read(path: string, more: Partial<ImageRequest> = {}): Uint8Array {
  using access = openImage(openImageFile(path), { ...REQUEST, ...more });
  return readDisk(access, 0, access.sizeBytes);
}

for (const options of ["monolithicSparse", "monolithicSparse,zeroed_grain=on"]) {
  oracleTest(`vmdk and qemu agree on a chain of three: ${options}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const sizeBytes = 7 * MIB + 512;
    const paths = ["base", "child", "top"].map((name) => folder.file(`${name}.vmdk`));
    for (const [depth, path] of paths.entries()) {
      const below = depth === 0 ? [] : ["-F", "vmdk", "-b", paths[depth - 1] ?? ""];
      const words = ["-o", `subformat=${options}`, ...below, path];
      await must("qemu-img", "create", "-q", "-f", "vmdk", ...words, `${sizeBytes}`);
      // Whatever is written to it renews its CID.
      await fillDisk(path, "vmdk", { sizeBytes, seed: 3 + depth });
    }
    const [, , top = ""] = paths;
    const raw = folder.file("top.raw");
    await must("qemu-img", "convert", "-f", "vmdk", "-O", "raw", top, raw);
    assert(sameBytes(read(top), readRange(raw, 0, sizeBytes)));
    const { images, problems } = inspect(top, { request: REQUEST, ignoreLocks: false });
    assertEquals([images.map(({ path }) => path), problems], [paths.toReversed(), []]);
  });
}

/** qemu would show zeros for all that is in the parents. */
virtualBoxTest("vmdk and VirtualBox agree on a chain of three", async (box) => {
  const sizeBytes = 6 * MIB;
  const raw = box.file("disk.raw");
  const [base, child, top] = ["base", "child", "top"].map((name) => box.file(`${name}.vmdk`)) as [
    string,
    string,
    string,
  ];
  await must("qemu-img", "create", "-q", "-f", "raw", raw, `${sizeBytes}`);
  await fillDisk(raw, "raw", { sizeBytes, seed: 8 });
  await box.convert(raw, "RAW", base, "--dstformat", "VMDK");
  await box.child(child, base, "VMDK");
  // qemu takes it for an image of its own, and leaves the UUIDs alone.
  await must("qemu-io", "-f", "vmdk", "-c", `write -P 193 ${MIB} ${MIB}`, child);
  await box.child(top, child, "VMDK");
  await must("qemu-io", "-f", "vmdk", "-c", `write -P 209 0 ${65536}`, top);
  const ours = read(top);
  assertEquals([ours[0], ours[MIB], ours[2 * MIB - 1]], [209, 193, 193]);
  assert(sameBytes(ours, readRange(await box.rawCopy(top), 0, sizeBytes)));
});

/** A parent of two grains, and a child that has the second one. */
class Family extends TempDirectory {
  constructor(fields: Readonly<Record<string, string>>) {
    super();
    Deno.writeFileSync(this.file("base.vmdk"), buildVmdk({ map: [0, 1, 3] }, OWN));
    this.child(fields);
  }

  child(fields: Readonly<Record<string, string>>): void {
    const map = ["none", 3, "zero"] as const;
    Deno.writeFileSync(this.file("child.vmdk"), buildVmdk({ map }, fields));
  }

  bytes(more: Partial<ImageRequest> = {}): number[] {
    const bytes = read(this.file("child.vmdk"), more);
    return [0, 1, 2].map((grain) => bytes[grain * GRAIN] ?? -1);
  }
}

const IMAGE = "11111111-1111-1111-1111-111111111111";
const STATE = "22222222-2222-2222-2222-222222222222";
const OWN = { "ddb.uuid.image": `"${IMAGE}"`, "ddb.uuid.modification": `"${STATE}"` };
const BY_CID = { parentCID: "1234ABCD", parentFileNameHint: '"base.vmdk"' };
const BY_UUID = {
  "ddb.uuid.parent": `"${IMAGE}"`,
  "ddb.uuid.parentmodification": `"${STATE}"`,
};

const HINTS = [
  "base.vmdk",
  "/vmfs/volumes/4f1-8c/vm/base.vmdk",
  "..\\vm\\base.vmdk",
  "C:\\vm\\base.vmdk",
];

for (const hint of HINTS) {
  Deno.test(`vmdk finds the parent called ${hint} by the name and the CID`, () => {
    using family = new Family({ ...BY_CID, parentFileNameHint: `"${hint}"` });
    assertEquals(family.bytes(), [1, 4, 0]);
  });
}

Deno.test("vmdk finds the parent of an image of VirtualBox by its UUIDs, whatever it is called", () => {
  using family = new Family(BY_UUID);
  Deno.renameSync(family.file("base.vmdk"), family.file("other.vmdk"));
  assertEquals(family.bytes(), [1, 4, 0]);
});

Deno.test("vmdk takes an image without a parent's CID or UUID for one without a parent", () => {
  using family = new Family({
    "parentFileNameHint": '"base.vmdk"',
    "ddb.uuid.parent": '"00000000-0000-0000-0000-000000000000"',
  });
  assertEquals(family.bytes(), [0, 4, 0]);
});

const CHANGED: readonly [name: string, fields: Readonly<Record<string, string>>, reason: RegExp][] =
  [
    ["CID", { ...BY_CID, parentCID: "1" }, /its CID is 1234abcd, not 00000001 \(--force/],
    [
      "modification UUID",
      { ...BY_UUID, "ddb.uuid.parentmodification": `"${IMAGE}"` },
      /its modification UUID is 2222.*, not 1111.*--force/,
    ],
  ];

for (const [name, fields, reason] of CHANGED) {
  Deno.test(`vmdk refuses a parent that has another ${name}, unless that is forced`, () => {
    using family = new Family(fields);
    const error = assertThrows(() => family.bytes(), RelatedFileError);
    assert(reason.test(error.message), error.message);
    assertEquals(family.bytes({ force: true }), [1, 4, 0]);
    assertEquals(family.bytes({ noBacking: true }), [0, 4, 0]);
  });
}

Deno.test("vmdk says where it has looked for a parent, and takes the one that is named", () => {
  using family = new Family(BY_CID);
  const moved = family.file("moved");
  Deno.renameSync(family.file("base.vmdk"), moved);
  const error = assertThrows(() => family.bytes(), RelatedFileError);
  const message =
    /^base\.vmdk \(parent of .*child\.vmdk\): no VMDK image of that name is in .*--parent/;
  assert(message.test(error.message), error.message);
  assertEquals(family.bytes({ parents: [moved] }), [1, 4, 0]);
});

Deno.test("vmdk does not take a sibling with the same CID for the parent", () => {
  using family = new Family({ ...BY_CID, CID: "1234abcd" });
  Deno.copyFileSync(family.file("child.vmdk"), family.file("sibling.vmdk"));
  Deno.removeSync(family.file("base.vmdk"));
  assertThrows(() => family.bytes(), RelatedFileError, "no VMDK image of that name");
});

Deno.test("vmdk refuses a child that does not say what it lies on", () => {
  using family = new Family({ parentCID: "1234abcd" });
  assertThrows(() => family.bytes(), Error, "lies on one with the CID 1234abcd, but does not say");
});

Deno.test("vmdk shows the parent in every piece of a child, and where it ends, zeros", () => {
  using family = new Family(BY_CID);
  Deno.writeFileSync(family.file("c-s001.vmdk"), buildExtent({ map: ["none"] }));
  Deno.writeFileSync(family.file("c-s002.vmdk"), buildExtent({ map: ["none", 3, "none"] }));
  const lines = ['RW 8 SPARSE "c-s001.vmdk"', 'RW 24 SPARSE "c-s002.vmdk"'];
  Deno.writeTextFileSync(family.file("child.vmdk"), descriptor(lines, BY_CID));
  const bytes = read(family.file("child.vmdk"));
  assertEquals([0, 1, 2, 3].map((grain) => bytes[grain * GRAIN]), [1, 2, 4, 0]);
});
