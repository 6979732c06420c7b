// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { inspect } from "../../src/disk/inspect.ts";
import { openImage, openSharedImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import { MAX_FILES } from "../../src/disk/parent_places.ts";
import type { ImageRequest } from "../../src/disk/request.ts";
import { ImageType } from "../../src/format/vdi/layout.ts";
import { DiskType } from "../../src/format/vhd/layout.ts";
import { RelatedFileError } from "../../src/image/errors.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { BLOCK, buildVdi, uuid, uuidText } from "../format/vdi/image_builder.ts";
import { buildVhd, utf16, uuid as vhdUuid } from "../format/vhd/image_builder.ts";
import { readDisk } from "../support/disk.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const REQUEST: ImageRequest = {
  format: "VDI",
  readOnly: true,
  offsetBytes: 0,
  sizeLimitBytes: 0,
};

interface Vdi {
  readonly id: number;
  readonly state?: number;
  readonly below?: { readonly id: number; readonly state?: number };
  /** Whether it has its first block, of bytes of `id`. */
  readonly hasBlock?: boolean;
}

function write(path: string, { id, state = 100, below, hasBlock = true }: Vdi): string {
  const header = {
    uuid: uuid(id),
    uuid_modified: uuid(state),
    ...(below === undefined ? {} : {
      type: ImageType.differencing,
      uuid_parent: uuid(below.id),
      uuid_parent_modified: uuid(below.state ?? 100),
    }),
  };
  const bytes = buildVdi({ header, map: hasBlock ? [0] : [], stored: 1 });
  if (hasBlock) bytes.fill(id, bytes.length - BLOCK);
  Deno.writeFileSync(path, bytes);
  return path;
}

/** A child of image 1, which has nothing of its own. */
function child(path: string, below: Vdi["below"] = { id: 1 }): string {
  return write(path, { id: 2, below, hasBlock: false });
}

/** First byte of the disk, and what the user is told. */
function opened(path: string, more: Partial<ImageRequest> = {}): [number | undefined, string[]] {
  const { file } = openImageFile(path, { readOnly: true });
  using access = openImage(file, { ...REQUEST, ...more });
  return [readDisk(access, 0, 512)[0], [...access.warnings]];
}

function refused(path: string, more: Partial<ImageRequest> = {}): string {
  const { file } = openImageFile(path, { readOnly: true });
  using _file = file;
  return assertThrows(() => openImage(file, { ...REQUEST, ...more }), RelatedFileError).message;
}

Deno.test("a parent is found by its identity, in the image's folder and in the one above", () => {
  for (const place of ["vm/any name.vdi", "above.VDI"]) {
    using folder = new TempDirectory();
    Deno.mkdirSync(folder.file("vm"));
    write(folder.file("vm/other.vdi"), { id: 7 });
    Deno.writeTextFileSync(folder.file("vm/a.vdi"), "no image");
    Deno.mkdirSync(folder.file("vm/folder.vdi"));
    write(folder.file(place), { id: 1 });
    assertEquals(opened(child(folder.file("vm/child.vdi"))), [1, []]);
  }
});

Deno.test("chains of children are followed, whatever their files are called", () => {
  using folder = new TempDirectory();
  write(folder.file("z.vdi"), { id: 1 });
  child(folder.file("y.vdi"));
  const top = write(folder.file("x.vdi"), { id: 3, below: { id: 2 }, hasBlock: false });
  assertEquals(opened(top), [1, []]);
  const { images, problems } = inspect(top, { request: REQUEST, ignoreLocks: false });
  assertEquals(images.map(({ path }) => path), ["x", "y", "z"].map((n) => folder.file(`${n}.vdi`)));
  assertEquals(problems, []);
});

Deno.test("a parent that is not there is asked for, with where it was looked for", () => {
  using folder = new TempDirectory();
  const path = child(folder.file("child.vdi"));
  const above = folder.path.slice(0, folder.path.lastIndexOf("/"));
  assertEquals(
    refused(path),
    `${uuidText(1)} (parent of ${path}): no VDI image with that UUID is in ${folder.path} ` +
      `or ${above} (--parent <file> names it)`,
  );
  assertEquals(opened(path, { noBacking: true }), [0, []]);
});

Deno.test("a parent that was changed after its child was made is refused, unless that is forced", () => {
  using folder = new TempDirectory();
  const base = write(folder.file("base.vdi"), { id: 1, state: 101 });
  const path = child(folder.file("child.vdi"));
  assertStringIncludes(refused(path), `${base} was changed after the image above it was made`);
  assertStringIncludes(refused(path), "(--force takes it all the same)");
  const [byte, warnings] = opened(path, { force: true });
  assertEquals([byte, warnings.length], [1, 1]);
  assertStringIncludes(warnings[0] ?? "", `is ${uuidText(101)}, not ${uuidText(100)}`);
});

Deno.test("of several copies of a parent, the one counts that has not been changed", () => {
  using folder = new TempDirectory();
  write(folder.file("a.vdi"), { id: 1, state: 101, hasBlock: false });
  write(folder.file("b.vdi"), { id: 1 });
  assertEquals(opened(child(folder.file("child.vdi"))), [1, []]);
});

Deno.test("a child that does not record in which state its parent was takes it in any", () => {
  using folder = new TempDirectory();
  write(folder.file("base.vdi"), { id: 1, state: 77 });
  assertEquals(opened(child(folder.file("child.vdi"), { id: 1, state: 0 })), [1, []]);
});

Deno.test("--parent names images anywhere, one for each image that needs one", () => {
  using folder = new TempDirectory();
  Deno.mkdirSync(folder.file("far"));
  const base = write(folder.file("far/base"), { id: 1 });
  const middle = child(folder.file("far/middle"));
  Deno.mkdirSync(folder.file("deep"));
  Deno.mkdirSync(folder.file("deep/own"));
  const top = write(folder.file("deep/own/top.vdi"), { id: 3, below: { id: 2 }, hasBlock: false });
  assertEquals(opened(top, { parents: [middle, base] }), [1, []]);
  assertStringIncludes(refused(top, { parents: [middle] }), "--parent <file> names it");
  assertStringIncludes(refused(top, { parents: [base] }), `its UUID is ${uuidText(1)}, not`);
  const [byte] = opened(top, { parents: [base], force: true });
  assertEquals(byte, 1);
});

Deno.test("--parent is refused where it names no image of the format, forced or not", () => {
  using folder = new TempDirectory();
  const path = child(folder.file("child.vdi"));
  const other = folder.file("other");
  Deno.writeFileSync(other, new Uint8Array(4096));
  for (const force of [false, true]) {
    const text = refused(path, { parents: [other], force });
    assertEquals(
      text,
      `${uuidText(1)} (parent of ${path}): ${other}: it is no VDI or VHD or VMDK image`,
    );
  }
});

Deno.test("where more files could be a parent than are looked into, that is said", () => {
  using folder = new TempDirectory();
  Deno.mkdirSync(folder.file("vm"));
  const path = child(folder.file("vm/child.vdi"));
  for (let n = 0; n < MAX_FILES; n++) Deno.writeTextFileSync(folder.file(`vm/${n}.vdi`), "");
  write(folder.file("vm/z.vdi"), { id: 1 });
  const text = refused(path);
  assertStringIncludes(text, `; only 500 files of ${folder.file("vm")} were looked into`);
  assertEquals(opened(path, { parents: [folder.file("vm/z.vdi")] }), [1, []]);
});

Deno.test("a name that no file can have is nothing to speak of", () => {
  using folder = new TempDirectory();
  const text = refused(writeVhd(folder.file("a.vhd"), 2, "x".repeat(300)), { format: "VHD" });
  assert(!text.includes("xxx"), text);
});

Deno.test("--parent is refused where nothing lies on what it names", () => {
  using folder = new TempDirectory();
  const base = write(folder.file("base.vdi"), { id: 1 });
  const { file } = openImageFile(base, { readOnly: true });
  using _file = file;
  const request = { ...REQUEST, parents: [base] };
  assertThrows(() => openImage(file, request), Error, `nothing lies on ${base}`);
});

Deno.test("an image is never its own parent, nor that of one below it", () => {
  using folder = new TempDirectory();
  const own = write(folder.file("own.vdi"), { id: 1, below: { id: 1 } });
  assertStringIncludes(refused(own), "no VDI image with that UUID");
  const loop = write(folder.file("loop.vdi"), { id: 2, below: { id: 3 } });
  write(folder.file("other.vdi"), { id: 3, below: { id: 2 } });
  assertStringIncludes(refused(loop), "no VDI image with that UUID");
});

Deno.test("an image of others has no parent but below its own folder", () => {
  using folder = new TempDirectory();
  Deno.mkdirSync(folder.file("vm"));
  const base = write(folder.file("base.vdi"), { id: 1 });
  const path = child(folder.file("vm/child.vdi"));
  Deno.chmodSync(path, 0o666);
  const text = refused(path);
  assertStringIncludes(text, "not allowed: others may write to the image");
  assertStringIncludes(text, `(--allow-backing ${base} allows it)`);
  assertEquals(opened(path, { allowBacking: [folder.path] }), [1, []]);
  assertEquals(opened(path, { parents: [base] }), [1, []]);
  Deno.chmodSync(write(folder.file("vm/base.vdi"), { id: 1 }), 0o644);
  assertEquals(opened(path), [1, []]);
  Deno.chmodSync(folder.file("vm/base.vdi"), 0o600);
  assertStringIncludes(refused(path), "not all who could have named");
});

Deno.test("a further thread opens the same parent again", () => {
  using folder = new TempDirectory();
  write(folder.file("base.vdi"), { id: 1 });
  const { file } = openImageFile(child(folder.file("child.vdi")), { readOnly: true });
  using access = openImage(file, REQUEST);
  Deno.renameSync(folder.file("base.vdi"), folder.file("base.gone"));
  const { sharedFiles: files, sharedPieces: pieces } = access;
  using again = openSharedImage({ image: REQUEST, files, pieces });
  assertEquals(readDisk(again, 0, 512)[0], 1);
});

/** A VHD image with bytes of `id`; or one that lies on image 1 and has nothing of its own. */
function writeVhd(path: string, id: number, nameOfParent?: string): string {
  const below = nameOfParent === undefined ? {} : {
    footer: { uuid: vhdUuid(id), type: DiskType.differencing },
    header: { parent_uuid: vhdUuid(1) },
    locator: ["W2ru", utf16(nameOfParent, "le")] as const,
  };
  const parts = { footer: { uuid: vhdUuid(id) }, map: nameOfParent === undefined ? [0] : [] };
  const bytes = buildVhd({ ...parts, ...below, stored: 1 });
  bytes.fill(id, bytes.length - 512 - BLOCK, bytes.length - 512);
  Deno.writeFileSync(path, bytes);
  return path;
}

/** Where the parent lies, and what its child calls it. */
const PLACES: readonly [place: string, name: string][] = [
  ["vm/sub/base.bin", ".\\sub\\base.bin"],
  ["base.bin", "..\\base.bin"],
  ["base.bin", "C:\\somewhere\\else\\base.bin"],
  ["vm/base.bin", "D:\\base.bin"],
  ["vm/renamed.vhd", ".\\base.vhd"],
  ["vm/Base.VHD", ".\\base.vhd"],
];

for (const [place, name] of PLACES) {
  Deno.test(`a parent is found by the name ${name} at ${place}`, () => {
    using folder = new TempDirectory();
    for (const path of ["vm", "vm/sub"]) Deno.mkdirSync(folder.file(path));
    // What has the name, but is another image.
    writeVhd(folder.file("vm/another.vhd"), 9);
    if (place !== "vm/base.bin") writeVhd(folder.file("vm/base.bin"), 8);
    writeVhd(folder.file(place), 1);
    const path = writeVhd(folder.file("vm/child.vhd"), 2, name);
    assertEquals(opened(path, { format: "VHD" }), [1, []]);
  });
}
