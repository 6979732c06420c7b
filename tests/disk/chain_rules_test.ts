// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { readDisk } from "../support/disk.ts";
import { MAX_CHAIN_IMAGES } from "../../src/disk/runs.ts";
import { RelatedFileError } from "../../src/image/errors.ts";
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { lockImage } from "../../src/disk/lock.ts";
import { openImage, openSharedImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import type { ImageRequest } from "../../src/disk/request.ts";
import { O_RDWR, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { buildImage, buildNamingImage, DATA_CLUSTER } from "../format/qcow/image_builder.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const CLUSTER = 4096;
const CORRUPT = 2;

/** A folder with images, and the ways to open the one called `top`. */
class Scene implements Disposable {
  readonly folder = new TempDirectory();
  readonly path = Deno.realPathSync(this.folder.path);

  write(name: string, bytes: Uint8Array): string {
    Deno.writeFileSync(`${this.path}/${name}`, bytes);
    return `${this.path}/${name}`;
  }

  /** A raw image whose bytes are all `value`. */
  raw(name: string, value: number, lengthBytes = 4 * CLUSTER): string {
    return this.write(name, new Uint8Array(lengthBytes).fill(value));
  }

  /** An image without any data that names a backing file. */
  over(name: string, backing: string, backingFormat?: string): string {
    const names = { backing, ...(backingFormat === undefined ? {} : { backingFormat }) };
    return this.write(name, buildNamingImage(names));
  }

  open(more: Partial<ImageRequest> = {}, name = "top"): ImageAccess {
    const { file } = openImageFile(`${this.path}/${name}`, { readOnly: true });
    const rest = { readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
    try {
      return openImage(file, { format: "QCOW", ...rest, ...more });
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  /** First bytes of some clusters. */
  bytes(more: Partial<ImageRequest> = {}, clusters = [0, 3, 4]): number[] {
    using access = this.open(more);
    return clusters.map((cluster) => readDisk(access, cluster * CLUSTER, 1)[0] ?? -1);
  }

  /** Why `top` cannot be opened; paths without the folder. */
  refusal(more: Partial<ImageRequest> = {}): string {
    const before = openDescriptors();
    const { message } = assertThrows(() => this.open(more), RelatedFileError);
    assertEquals(openDescriptors(), before, "something was left open");
    return message.replaceAll(`${this.path}/`, "");
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("openImage() shows a backing file as far as it reaches, zeros beyond", () => {
  using scene = new Scene();
  scene.over("top", "base", "raw");
  scene.raw("base", 7, 3 * CLUSTER + 1);
  assertEquals(scene.bytes(), [7, 7, 0]);
});

Deno.test("openImage() shows zero clusters, not what lies below them", () => {
  using scene = new Scene();
  scene.raw("base", 7, 8 * CLUSTER);
  const l2 = [0n, 1n, BigInt(DATA_CLUSTER * CLUSTER), 0n];
  scene.write("top", buildNamingImage({ backing: "base", backingFormat: "raw" }, { l2 }));
  assertEquals(scene.bytes({}, [0, 1, 2, 3]), [7, 0, DATA_CLUSTER, 7]);
});

Deno.test("openImage() obeys the recorded format", () => {
  using scene = new Scene();
  scene.over("middle", "base", "raw");
  scene.raw("base", 7);
  scene.over("top", "middle", "raw");
  assertEquals(scene.bytes()[0], "Q".charCodeAt(0));
  scene.over("top", "middle", "qcow2");
  assertEquals(scene.bytes()[0], 7);
  scene.over("top", "middle", "quorum");
  assertEquals(scene.refusal(), "middle (backing file of top): quorum images are not supported");
  scene.over("top", "base", "qcow2");
  assertEquals(scene.refusal(), "base (backing file of top): this is no QCOW image");
});

Deno.test("openImage() guesses no format unless told to", () => {
  using scene = new Scene();
  scene.over("middle", "base");
  scene.raw("base", 7);
  scene.over("top", "middle");
  const hint = "its format is not recorded; --backing-fmt <format> says what it is";
  assertEquals(scene.refusal(), `middle (backing file of top): ${hint}`);
  scene.over("top", "middle", "qcow2");
  assertEquals(scene.refusal(), `base (backing file of middle): ${hint}`);
  assertEquals(scene.bytes({ backingFormat: "RAW" })[0], 7);
  scene.over("top", "middle");
  assertEquals(scene.bytes({ backingFormat: "RAW" })[0], "Q".charCodeAt(0));
  assertEquals(scene.bytes({ backingFormat: "auto" })[0], 7);
});

Deno.test("openImage() takes the format from the name, and refuses two", () => {
  using scene = new Scene();
  scene.raw("base", 7);
  scene.over("top", 'json:{"driver":"file","filename":"base"}');
  assertEquals(scene.bytes()[0], 7);
  const name = 'json:{"driver":"raw","file":{"driver":"file","filename":"base"}}';
  scene.over("top", name);
  assertEquals(scene.bytes()[0], 7);
  scene.over("top", name, "raw");
  assertEquals(scene.bytes()[0], 7);
  scene.over("top", name, "qcow2");
  assertEquals(
    scene.refusal(),
    "base (backing file of top): its format is recorded as 'qcow2', but its name says 'raw'",
  );
});

Deno.test("openImage() resolves relative names from the folder of the image that names them", () => {
  using scene = new Scene();
  for (const folder of ["a", "b"]) Deno.mkdirSync(`${scene.path}/${folder}`);
  scene.raw("b/base", 7);
  scene.over("b/middle", "file:base", "raw");
  scene.over("a/top", "../b/middle", "qcow2");
  Deno.symlinkSync("a/top", `${scene.path}/top`);
  using access = scene.open({}, "a/top");
  assertEquals(access.sharedFiles.length, 3);
  const { message } = assertThrows(() => scene.open(), RelatedFileError);
  assertEquals(message.includes("/../b/middle (backing file of "), true);
  using link = scene.open({ namesFolder: `${scene.path}/a` });
  assertEquals(link.sharedFiles.length, 3);
});

Deno.test("openImage() notices loops", () => {
  using scene = new Scene();
  scene.over("top", "top", "qcow2");
  assertEquals(scene.refusal(), "top (backing file of top): the chain of images is a loop");
  scene.over("top", "middle", "qcow2");
  scene.over("middle", "base", "qcow2");
  scene.over("base", "link", "qcow2");
  Deno.symlinkSync("middle", `${scene.path}/link`);
  assertEquals(scene.refusal(), "link (backing file of base): the chain of images is a loop");
  Deno.removeSync(`${scene.path}/link`);
  Deno.linkSync(`${scene.path}/top`, `${scene.path}/link`);
  assertEquals(scene.refusal(), "link (backing file of base): the chain of images is a loop");
});

Deno.test("openImage() opens long chains, but not endless ones", () => {
  using scene = new Scene();
  scene.raw("0", 7);
  for (let level = 1; level <= MAX_CHAIN_IMAGES; level++) {
    scene.over(`${level}`, `${level - 1}`, level === 1 ? "raw" : "qcow2");
  }
  Deno.linkSync(`${scene.path}/${MAX_CHAIN_IMAGES - 1}`, `${scene.path}/top`);
  assertEquals(scene.bytes()[0], 7);
  Deno.removeSync(`${scene.path}/top`);
  Deno.linkSync(`${scene.path}/${MAX_CHAIN_IMAGES}`, `${scene.path}/top`);
  assertEquals(
    scene.refusal(),
    `0 (backing file of 1): more than ${MAX_CHAIN_IMAGES} images below each other`,
  );
});

Deno.test("openImage() keeps the metadata of a chain within bounds", () => {
  using scene = new Scene();
  const l1_size = 4 * 1024 * 1024;
  const header = { l1_size, size: l1_size * CLUSTER * CLUSTER / 8 };
  for (let level = 0; level < 6; level++) {
    const names = { backing: `${level + 1}`, backingFormat: "qcow2" };
    const path = scene.write(level === 0 ? "top" : `${level}`, buildNamingImage(names, { header }));
    Deno.truncateSync(path, 64 * 1024 * 1024);
  }
  assertEquals(
    scene.refusal(),
    "4 (backing file of 3): the metadata of all images would take more than 134217728 bytes of memory",
  );
});

Deno.test("openSharedImage() keeps less metadata than the first thread may", () => {
  using scene = new Scene();
  const l1_size = 1024 * 1024;
  const share = (entries: number): void => {
    const header = { l1_size: entries, size: entries * CLUSTER * CLUSTER / 8 };
    Deno.truncateSync(scene.write("top", buildImage({ header })), 64 * 1024 * 1024);
    using access = scene.open();
    const image = { format: "QCOW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
    openSharedImage({ image, files: access.sharedFiles, pieces: access.sharedPieces })
      [Symbol.dispose]();
  };
  share(l1_size);
  assertThrows(() => share(l1_size + 1), RangeError, "more than 8388608 bytes of memory");
});

Deno.test("openImage() does without backing files if the user wants that", () => {
  using scene = new Scene();
  scene.over("top", "missing");
  assertEquals(scene.bytes({ noBacking: true })[0], 0);
  using access = scene.open({ noBacking: true });
  assertEquals(access.sharedFiles.length, 1);
});

Deno.test("openImage() refuses names that are none", () => {
  using scene = new Scene();
  scene.over("top", "nbd://host/disk", "raw");
  assertEquals(
    scene.refusal(),
    "nbd://host/disk (backing file of top): the protocol 'nbd' is not supported",
  );
  const backing = Uint8Array.of(0x62, 0xff, 0x62);
  scene.write("top", buildNamingImage({ backing, backingFormat: "raw" }));
  assertEquals(scene.refusal(), "b\ufffdb (backing file of top): the name is not valid UTF-8");
  scene.over("top", "x".repeat(1023), "raw");
  assertEquals(scene.refusal().endsWith("x (backing file of top): File name too long"), true);
});

Deno.test("openImage() warns of corrupt images below, if they are opened at all", () => {
  using scene = new Scene();
  scene.over("top", "base", "qcow2");
  scene.write("base", buildImage({ headerV3: { incompatible_features: CORRUPT } }));
  assertEquals(scene.refusal().startsWith("base (backing file of top): the image is marked"), true);
  using access = scene.open({ force: true });
  assertEquals(access.warnings, [`${scene.path}/base: the image is marked as corrupt`]);
});

Deno.test("openImage() locks backing files against writers, and notices those that are there", () => {
  using scene = new Scene();
  scene.over("top", "base", "raw");
  const base = scene.raw("base", 7);
  using writer = new ImageFile(openFile(base, O_RDWR), base);
  {
    using _access = scene.open();
    assertThrows(() => lockImage(writer, "write"), Error, "the image is in use by");
  }
  assertEquals(lockImage(writer, "write"), true);
  assertEquals(
    scene.refusal().startsWith("base (backing file of top): the image is being written by "),
    true,
  );
});

Deno.test("openSharedImage() opens nothing itself", () => {
  using scene = new Scene();
  scene.over("top", "middle", "qcow2");
  scene.over("middle", "base", "raw");
  const base = scene.raw("base", 7);
  using access = scene.open();
  for (const name of ["top", "middle", "base"]) Deno.removeSync(`${scene.path}/${name}`);
  const before = openDescriptors();
  const image = { format: "QCOW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const pieces = access.sharedPieces;
  using shared = openSharedImage({ image, files: access.sharedFiles, pieces });
  assertEquals(openDescriptors(), before);
  assertEquals(readDisk(shared, 0, 1)[0], 7);
  assertEquals(shared.sharedFiles.map(({ path }) => path).at(-1), base);
});

Deno.test("openSharedImage() leaves every descriptor open, also where it fails", () => {
  using scene = new Scene();
  scene.write("top", buildNamingImage({ backing: "middle", backingFormat: "qcow2" }));
  scene.over("middle", "base", "qcow2");
  scene.write("base", buildImage());
  using access = scene.open();
  const files = access.sharedFiles;
  const before = openDescriptors();
  const image = { format: "QCOW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const share = (): ImageAccess => openSharedImage({ image, files, pieces: access.sharedPieces });
  share()[Symbol.dispose]();
  assertEquals(openDescriptors(), before);
  for (const name of ["base", "middle", "top"]) {
    Deno.truncateSync(`${scene.path}/${name}`, 10);
    assertThrows(share);
    assertEquals(openDescriptors(), before, name);
  }
});

/** Entries for an external data file: every cluster is where the guest has it. */
function identical(cluster: number): bigint {
  return BigInt(cluster * CLUSTER) | (1n << 63n);
}

Deno.test("openImage() reads an external data file, beside the image", () => {
  using scene = new Scene();
  const l2 = [identical(0), 0n, identical(2), identical(3), identical(4)];
  scene.write("top", buildNamingImage({ dataFile: "data" }, { l2 }));
  scene.raw("data", 9, 3 * CLUSTER + 1);
  assertEquals(scene.bytes({}, [0, 1, 2, 3, 4]), [9, 0, 9, 9, 0]);
  const dataFile = 'json:{"driver":"raw","file":{"driver":"file","filename":"data"}}';
  scene.write("top", buildNamingImage({ dataFile }, { l2 }));
  assertEquals(scene.bytes({}, [2]), [9]);
  assertEquals(scene.bytes({ noBacking: true }, [2]), [9]);
});

Deno.test("openImage() takes a misplaced or compressed cluster of a data file for damage", () => {
  using scene = new Scene();
  scene.raw("data", 9);
  for (const entry of [identical(1), identical(0) | (1n << 62n), BigInt(3 * CLUSTER)]) {
    scene.write("top", buildNamingImage({ dataFile: "data" }, { l2: [entry] }));
    assertThrows(() => scene.bytes({}, [0]), Error, "the L2 entry for guest offset 0x0 is not");
  }
});

Deno.test("openImage() refuses data files that are none", () => {
  using scene = new Scene();
  scene.write("top", buildNamingImage({ dataFile: "missing" }));
  assertEquals(scene.refusal(), "missing (data file of top): No such file or directory");
  scene.write("top", buildNamingImage({ dataFile: "top" }));
  assertEquals(scene.refusal(), "top (data file of top): the chain of images is a loop");
  scene.over("base", "x", "raw");
  const dataFile = 'json:{"driver":"qcow2","file":{"driver":"file","filename":"base"}}';
  scene.write("top", buildNamingImage({ dataFile }));
  assertEquals(
    scene.refusal(),
    "base (data file of top): the format 'qcow2' is not possible there",
  );
  scene.write("top", buildImage({ headerV3: { incompatible_features: 4 } }));
  assertThrows(() => scene.open(), Error, "the name of the external data file is not recorded");
});
