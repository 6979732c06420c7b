// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { readDisk } from "../support/disk.ts";
import { ImageFormatError, RelatedFileError, SecretError } from "../../src/image/errors.ts";
import { UnsupportedFeatureError } from "../../src/image/errors.ts";
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { openImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { buildNamingImage } from "../format/qcow/image_builder.ts";
import { randomNumbers } from "../support/images.ts";
import { processorMs } from "../support/patience.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const MUTATIONS = 2000;
/** Of processor time. */
const SLOWEST_MILLISECONDS = 5000;
const CLUSTER = 4096;
/** What a file that may not be read is filled with. */
const FORBIDDEN = 0xee;

type Random = () => number;

/** Pieces of names, legal and not, of which the images' names are put together. */
const PIECES: readonly string[] = [
  "base",
  "middle",
  "top",
  "data",
  "pipe",
  "outside",
  "sub",
  "secret",
  "..",
  ".",
  "/",
  "/",
  "file:",
  "nbd:",
  "\0",
  "\xff",
  "%s",
  "/dev/zero",
  "/proc/self/fd/0",
  "/proc/self/mem",
  "/etc/passwd",
  'json:{"driver":"raw","file":{"filename":"base"}}',
  'json:{"driver":"qcow2","file":{"driver":"file","filename":"../outside/secret"}}',
  'json:{"file.filename":"middle"}',
  'json:{"filename":',
  '"}',
  "'",
];

const FORMATS: readonly string[] = ["raw", "qcow2", "qcow", "luks", "file", "", "auto", "RAW"];

Deno.test("images of others open nothing outside their folder, whatever they say", () => {
  using folder = new TempDirectory();
  const images = prepare(Deno.realPathSync(folder.path));
  const random = randomNumbers(20_240_229);
  let opened = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    for (const name of ["top", "middle"]) {
      writeForeign(`${images}/${name}`, someImage(images, random));
    }
    const start = processorMs();
    const before = i % 100 === 0 ? openDescriptors() : 0;
    if (openAndRead(images)) opened++;
    if (i % 100 === 0) assertEquals(openDescriptors(), before);
    assert(processorMs() - start < SLOWEST_MILLISECONDS, `mutation ${i} is too slow`);
  }
  assert(opened > MUTATIONS / 100, `only ${opened} could be opened: nothing was tested`);
});

/** The folder of the images; beside it lies what they may not read. */
function prepare(path: string): string {
  const [images, outside] = [`${path}/images`, `${path}/outside`];
  for (const place of [images, outside, `${images}/sub`]) Deno.mkdirSync(place);
  Deno.writeFileSync(`${outside}/secret`, new Uint8Array(16 * CLUSTER).fill(FORBIDDEN));
  for (const name of ["base", "data", "sub/base"]) {
    Deno.writeFileSync(`${images}/${name}`, new Uint8Array(16 * CLUSTER).fill(7));
  }
  Deno.symlinkSync("../outside", `${images}/outside`);
  Deno.symlinkSync(`${outside}/secret`, `${images}/secret`);
  Deno.symlinkSync("../base", `${images}/sub/link`);
  new Deno.Command("mkfifo", { args: [`${images}/pipe`] }).outputSync();
  return images;
}

function writeForeign(path: string, bytes: Uint8Array): void {
  Deno.writeFileSync(path, bytes);
  // The user's own images may name anything: these others may write to.
  Deno.chmodSync(path, 0o666);
}

function someImage(images: string, random: Random): Uint8Array {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const name = (): string => {
    if (random() < 0.4) return pick(["base", "middle", `${images}/base`, "sub/link", "secret"]);
    const pieces = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(PIECES));
    return pieces.join(pick(["", "", "/"])).slice(0, 1000);
  };
  const entry = (index: number): bigint =>
    pick([0n, 1n, BigInt(index * CLUSTER) | (1n << 63n), BigInt(3 * CLUSTER)]);
  const bytes = buildNamingImage({
    backing: random() < 0.8 ? name() : "",
    ...(random() < 0.9 ? { backingFormat: pick(FORMATS) } : {}),
    ...(random() < 0.4 ? { dataFile: name() } : {}),
  }, { l2: Array.from({ length: 16 }, (_, index) => entry(index)) });
  if (random() < 0.5) bytes[Math.floor(random() * 128)] = random() * 256;
  if (random() < 0.5) bytes[2048 + Math.floor(random() * 64)] = random() * 256;
  return bytes;
}

/** Only the errors that such images may cause are caught; returns whether it could be opened. */
function openAndRead(images: string): boolean {
  const { file } = openImageFile(`${images}/top`, { readOnly: true });
  const limits = { offsetBytes: 0, sizeLimitBytes: 0 };
  let access: ImageAccess;
  try {
    access = openImage(file, { format: "QCOW", readOnly: true, ...limits });
  } catch (error) {
    file[Symbol.dispose]();
    if (!isExpected(error)) throw error;
    return false;
  }
  using opened = access;
  for (const { fd } of opened.sharedFiles) {
    const place = Deno.readLinkSync(`/proc/self/fd/${fd}`);
    assert(place.startsWith(`${images}/`), place);
  }
  readSome(opened);
  return true;
}

function readSome(access: ImageAccess): void {
  for (let offset = 0; offset < Math.min(16 * CLUSTER, access.sizeBytes); offset += CLUSTER) {
    let bytes: Uint8Array;
    try {
      bytes = readDisk(access, offset, Math.min(CLUSTER, access.sizeBytes - offset));
    } catch (error) {
      if (!isExpected(error)) throw error;
      continue;
    }
    for (let at = 0; at < bytes.length; at += 512) {
      assert(!bytes.subarray(at, at + 16).every((byte) => byte === FORBIDDEN));
    }
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
    error instanceof SystemError || error instanceof RelatedFileError ||
    error instanceof SecretError || (error instanceof RangeError && /^offset /.test(error.message));
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}
