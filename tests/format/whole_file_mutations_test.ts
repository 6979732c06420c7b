/**
 * Damaged files that are decompressed as a whole, and folders whose parts are damaged: what there is
 * comes, or an error that says what is wrong.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertGreater } from "@std/assert";
import { gzipSync } from "node:zlib";
import { openImage } from "../../src/disk/open.ts";
import { fillSpool } from "../../src/format/kit/spool/fill.ts";
import { MAGIC as GZIP_MAGIC } from "../../src/format/gzip/layout.ts";
import type { StreamKind } from "../../src/image/arriving.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../src/image/errors.ts";
import { SpoolFile } from "../../src/storage/spool_file.ts";
import { unnamedFile } from "../../src/sys/unnamed_file.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { readDisk } from "../support/disk.ts";
import { randomNumbers } from "../support/images.ts";
import { exists } from "../support/program.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";
import { type Bytes, mutated, type Original, pick, type Random } from "./mutations.ts";
import { openImageFile } from "./opened_image.ts";
import { BAND, propertyList } from "./sparsebundle/bundle_builder.ts";
import { xzOriginal } from "./xz/original.ts";
import { zstdFileOriginals } from "./zstd/original.ts";

/** For each feature; `deno task test:mutations` asks for more. */
const MUTATIONS = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 2000);
const LARGEST_GROWTH_BYTES = 96 * 1024 * 1024;

/** Two members (RFC 1952, section 2.3), the second of which has a name and a comment in its header. */
function gzipOriginal(): Original {
  const [first, second] = [seededBytes(3000, 1), new Uint8Array(70_000)].map((bytes) =>
    new Uint8Array(gzipSync(bytes))
  ) as [Uint8Array, Uint8Array];
  const header = second.slice(0, 10);
  header[3] = 0x18;
  const names = new TextEncoder().encode("disk.img\0a comment\0");
  const bytes = Uint8Array.from([...first, ...header, ...names, ...second.subarray(10)]);
  const types = { magic: "u16", method: "u8", flags: "u8", time: "u32", extra: "u8" } as const;
  const offsets = { magic: 0, method: 2, flags: 3, time: 4, extra: 8 };
  const trailer = { types: { crc: "u32", size: "u32" }, offsets: { crc: 0, size: 4 } } as const;
  return {
    bytes,
    structures: [
      { start: 0, types, offsets },
      { start: first.length, types, offsets },
      { start: first.length - 8, ...trailer },
      { start: bytes.length - 8, ...trailer },
    ],
    entries: [GZIP_MAGIC.length, 12, first.length + 10],
    littleEndian: true,
    headBytes: 20,
  };
}

const STREAMS: readonly (readonly [kind: StreamKind, originals: readonly Original[]])[] = [
  ["gzip", [gzipOriginal()]],
  ["xz", [xzOriginal()]],
  ["zstd", zstdFileOriginals()],
];

for (const [kind, originals] of STREAMS) {
  Deno.test(`damaged files are decompressed as a whole, or refused: ${kind}`, () => {
    using folder = new TempDirectory(memoryFolder());
    const path = folder.file("compressed");
    const random = randomNumbers(20_261_129);
    let whole = 0;
    let before = 0;
    for (let n = 0; n < MUTATIONS; n++) {
      if (n === Math.floor(MUTATIONS / 5)) before = Deno.memoryUsage().rss;
      Deno.writeFileSync(path, mutated(pick(originals, random), random));
      if (isDecompressed(kind, path, folder.path)) whole++;
    }
    const growth = Deno.memoryUsage().rss - before;
    assert(growth < LARGEST_GROWTH_BYTES, `${growth} bytes more memory`);
    assertGreater(whole, MUTATIONS / 50);
  });
}

function isDecompressed(kind: StreamKind, path: string, folder: string): boolean {
  using source = openImageFile(path);
  using spool = new SpoolFile(unnamedFile(folder), "spool");
  try {
    const job = { kind, format: kind, sizeBytes: undefined, limitBytes: 1024 * 1024 };
    fillSpool(job, { source, spool });
    assert(spool.isComplete);
    return true;
  } catch (error) {
    if (!(error instanceof ImageFormatError)) throw error;
    assert(spool.hasFailed);
    return false;
  }
}

Deno.test("damaged sparse bundles are read, or refused", () => {
  using folder = new TempDirectory(memoryFolder());
  const random = randomNumbers(20_261_130);
  const path = folder.file("disk.sparsebundle");
  let read = 0;
  for (let n = 0; n < MUTATIONS; n++) {
    makeDamaged(path, random);
    if (isRead(`${path}/Info.plist`, random)) read++;
    Deno.removeSync(path, { recursive: true });
  }
  assertGreater(read, MUTATIONS / 10);
});

const NUMBERS = [
  "0",
  "1",
  "511",
  "512",
  "4096",
  "1048576",
  "8589934592",
  "9007199254740992",
  "-512",
];
const BAND_NAMES = ["0", "1", "a", "63", "64", "ff", "7fffffff", "1fffffffffffff", "00", "A", " 1"];
const LENGTHS = [0, 1, 511, 512, BAND - 1, BAND, BAND + 1, 3 * BAND];

/** Some of its numbers and bands are what they should not be, and some bytes of its list. */
function makeDamaged(path: string, random: Random): void {
  const numbers = [{ bandBytes: BAND }, { sizeBytes: 100 * BAND }, {
    bandBytes: pick(NUMBERS, random),
  }, { sizeBytes: pick(NUMBERS, random) }];
  const list = propertyList({ ...pick(numbers, random), ...pick(numbers, random) });
  Deno.mkdirSync(`${path}/bands`, { recursive: true });
  Deno.writeFileSync(`${path}/Info.plist`, withOtherBytes(list, random));
  for (let count = Math.floor(random() * 5); count > 0; count--) {
    const name = `${path}/bands/${pick(BAND_NAMES, random)}`;
    if (exists(name)) continue;
    if (random() < 0.9) Deno.writeFileSync(name, new Uint8Array(pick(LENGTHS, random)));
    else Deno.mkdirSync(name);
  }
}

function withOtherBytes(text: string, random: Random): Bytes {
  const bytes = new TextEncoder().encode(text);
  if (random() < 0.1) return bytes.slice(0, random() * bytes.length);
  for (let count = Math.floor(random() * 3); count > 0; count--) {
    bytes[Math.floor(random() * bytes.length)] = random() < 0.5
      ? 0x30 + random() * 10
      : random() * 256;
  }
  return bytes;
}

function isRead(path: string, random: Random): boolean {
  const request = { format: "SPARSEBUNDLE", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const file = openImageFile(path);
  try {
    using access = openImage(file, request);
    for (let count = 0; count < 4; count++) {
      const start = Math.floor(random() * access.sizeBytes);
      readDisk(access, start, Math.min(3 * BAND, access.sizeBytes - start));
    }
    return true;
  } catch (error) {
    const isExpected = error instanceof ImageFormatError || error instanceof RelatedFileError ||
      error instanceof UnsupportedFeatureError;
    if (!isExpected) throw error;
    file[Symbol.dispose]();
    return false;
  }
}
