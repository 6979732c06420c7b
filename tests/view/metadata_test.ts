// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { ViewMetadata } from "../../src/view/metadata.ts";
import { planView, type ViewPlan } from "../../src/view/plan.ts";
import { RunKind } from "../../src/view/run_list.ts";
import { openImageFile, sameBytes } from "../format/opened_image.ts";
import { randomNumbers } from "../support/images.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { servedBytes } from "./demanded.ts";
import { anyRuns, listOf, type RunWords, sizeOf } from "./runs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const FILE_BYTES = 3 * MIB;
const FILES = 3;
const EROFS_TOOLS = ["fsck.erofs", "dump.erofs"] as const;

/** Files of random bytes with the content they have. */
class Files implements Disposable {
  readonly contents: readonly Uint8Array<ArrayBuffer>[];
  readonly paths: readonly string[];
  readonly open: readonly ImageFile[];

  constructor(folder: TempDirectory) {
    const random = randomNumbers(3);
    this.contents = Array.from(
      { length: FILES },
      () => Uint8Array.from({ length: FILE_BYTES }, () => random() * 256),
    );
    this.paths = this.contents.map((_, index) => folder.file(`file${index}`));
    this.paths.forEach((path, index) => {
      Deno.writeFileSync(path, this.contents[index] ?? new Uint8Array());
    });
    this.open = this.paths.map((path) => openImageFile(path));
  }

  /** What a disk of these runs reads as. */
  bytesOf(runs: readonly RunWords[]): Uint8Array {
    const bytes = new Uint8Array(sizeOf(runs));
    let at = 0;
    for (const { kind, lengthBytes, file = 0, hostOffset = 0 } of runs) {
      if (kind === RunKind.Special) bytes.fill(0x5a, at, at + lengthBytes);
      const stored = this.contents[file]?.subarray(hostOffset, hostOffset + lengthBytes);
      if (kind === RunKind.Plain && stored !== undefined) bytes.set(stored, at);
      at += lengthBytes;
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    for (const file of this.open) file[Symbol.dispose]();
  }
}

/** The metadata of a disk, with its copied chunks, and what is to be read by it. */
function metadataOf(
  files: Files,
  runs: readonly RunWords[],
  path: string,
): Made {
  const list = listOf(files.open, runs);
  const fileSizes = files.contents.map(({ length }) => length);
  const plan = planView(list, { sizeBytes: sizeOf(runs), fileSizes });
  const disk = files.bytesOf(runs);
  const devices = files.contents.map((content, file) => content.subarray(plan.fileStarts[file]));
  devices.push(servedBytes(disk));
  const metadata = new ViewMetadata({
    plan,
    path,
    deviceSizes: devices.map(({ length }) => length),
    serverDevice: FILES + 1,
  });
  const chunkBytes = 2 ** plan.chunkBits;
  plan.copies.forEach((chunk, index) => {
    const bytes = disk.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    metadata.bytes.set(bytes, metadata.copyPosition(index));
  });
  const { bytes, needsDirectIo } = metadata;
  return { metadata: bytes, devices, disk, withoutHoles: withoutHoles(disk, plan), needsDirectIo };
}

interface Made {
  readonly metadata: Uint8Array;
  /** What the devices have, in their order. */
  readonly devices: readonly Uint8Array<ArrayBuffer>[];
  readonly disk: Uint8Array;
  readonly withoutHoles: Uint8Array;
  readonly needsDirectIo: boolean;
}

/** Has the devices as files; the options by which erofs-utils find them. */
function deviceWords(folder: TempDirectory, devices: Made["devices"]): string[] {
  return devices.map((bytes, index) => {
    const path = folder.file(`device${index + 1}`);
    Deno.writeFileSync(path, bytes);
    return `--device=${path}`;
  });
}

/** What fsck.erofs 1.5 extracts: it leaves holes out, instead of writing zeros. */
function withoutHoles(disk: Uint8Array, plan: ViewPlan): Uint8Array {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const chunkBytes = 2 ** plan.chunkBits;
  plan.forEachChunk((chunk) => {
    pieces.push(disk.slice(chunk * chunkBytes, (chunk + 1) * chunkBytes));
  });
  return Buffer.concat(pieces);
}

/** That erofs-utils find nothing wrong, and read from the file at `path` what the runs say. */
async function checkReads(
  folder: TempDirectory,
  { files, runs, path }: { files: Files; runs: readonly RunWords[]; path: string },
): Promise<void> {
  const { metadata, devices, disk, withoutHoles } = metadataOf(files, runs, path);
  const [image, out] = [folder.file("metadata"), folder.file("out")];
  Deno.writeFileSync(image, metadata);
  const words = deviceWords(folder, devices);
  await must("fsck.erofs", ...words, "--overwrite", `--extract=${out}`, image);
  // The folders of a view are not for writing, and whoever is not root could not remove them.
  await must("chmod", "-R", "u+w", out);
  const bytes = Deno.readFileSync(`${out}/${path}`);
  Deno.removeSync(out, { recursive: true });
  assert(sameBytes(bytes, disk) || sameBytes(bytes, withoutHoles));
}

const SIMPLE: readonly RunWords[] = [
  { kind: RunKind.Plain, lengthBytes: 128 * KIB, file: 1, hostOffset: MIB },
  { kind: RunKind.Zero, lengthBytes: 256 * KIB },
  { kind: RunKind.Plain, lengthBytes: 64 * KIB, file: 2, hostOffset: 64 * KIB },
  { kind: RunKind.Special, lengthBytes: 64 * KIB },
];

const PATHS = [
  "disk",
  "var/lib/images/disk.qcow2",
  "!first/+sign/-dash/..hidden/.a/...",
  "日本/Ünïcode disk",
  `${"n".repeat(255)}/${"é".repeat(127)}`,
  Array.from({ length: 100 }, (_, index) => `${index % 10}`).join("/"),
];

for (const path of PATHS) {
  const shown = path.length > 40 ? `${path.length} characters` : path;
  oracleTest(`ViewMetadata makes what erofs-utils read at ${shown}`, EROFS_TOOLS, async () => {
    using folder = new TempDirectory();
    using files = new Files(folder);
    await checkReads(folder, { files, runs: SIMPLE, path });
  });
}

/** Blocks of 512 bytes are more than erofs-utils 1.5 can; what lies in no block at all is copied. */
function blockOf(hostOffset: number): number {
  return hostOffset % 512 === 0 ? hostOffset - hostOffset % 4096 : hostOffset;
}

oracleTest("ViewMetadata shows any runs as erofs-utils read them", EROFS_TOOLS, async () => {
  using folder = new TempDirectory();
  using files = new Files(folder);
  const runs = anyRuns(FILE_BYTES).map((list) =>
    list.map((run) => ({
      ...run,
      lengthBytes: Math.min(run.lengthBytes, FILE_BYTES),
      hostOffset: blockOf(
        Math.min(run.hostOffset ?? 0, FILE_BYTES - Math.min(run.lengthBytes, FILE_BYTES)),
      ),
    }))
  ).filter((list) => sizeOf(list) < 8 * MIB);
  await fc.assert(
    fc.asyncProperty(
      runs,
      (list) => checkReads(folder, { files, runs: list, path: "folder/disk" }),
    ),
    { numRuns: 60 },
  );
});

oracleTest("ViewMetadata names its devices and its size", EROFS_TOOLS, async () => {
  using folder = new TempDirectory();
  using files = new Files(folder);
  const { metadata, devices } = metadataOf(files, SIMPLE, "disk");
  Deno.writeFileSync(folder.file("metadata"), metadata);
  const known = deviceWords(folder, devices);
  const dump = (...words: string[]) =>
    must("dump.erofs", ...known, ...words, folder.file("metadata"));
  assertMatch(await dump("-s"), /features:.*chunked_file.*device_table/);
  const extents = await dump("-e", "--path=/disk");
  assertStringIncludes(extents, `Size: ${sizeOf(SIMPLE)}`);
  assertMatch(
    extents,
    /0:\s+0\.\. +65536 \| +65536 : +1044480\.\. +1110016 \| +65536 +# device 2/,
  );
  // What is served lies 4 KiB behind its own offset, in the last device.
  assertMatch(extents, /458752\.\. +524288 \| +65536 : +462848\.\. +528384 \| +65536 +# device 4/);
});

Deno.test("ViewMetadata refuses names that no file system takes", () => {
  using folder = new TempDirectory();
  using files = new Files(folder);
  for (const path of ["", "a//b", "/a", "n".repeat(256), "a/é".padEnd(140, "é").repeat(2)]) {
    assertThrows(() => metadataOf(files, SIMPLE, path), RangeError, "name");
  }
});

/** Clusters of a disk that follow upon each other, and whether the numbers of their blocks do. */
const NEIGHBOURS: Readonly<Record<string, readonly [needsDirectIo: boolean, RunWords, RunWords]>> =
  {
    "the same file's": [false, plain(0, 4 * KIB), plain(0, 68 * KIB)],
    "another file's, elsewhere": [false, plain(0, 4 * KIB), plain(1, 132 * KIB)],
    "another file's, of the same number as if it went on": [
      true,
      plain(0, 4 * KIB),
      plain(1, 68 * KIB),
    ],
    "another file's, where their devices can begin elsewhere": [
      false,
      plain(0, 0),
      plain(1, 64 * KIB),
    ],
    "the server's, of the same number": [true, plain(0, 4 * KIB), served()],
    "the server's, which never is a multiple": [false, plain(0, 0), served()],
  };

function plain(file: number, hostOffset: number): RunWords {
  return { kind: RunKind.Plain, lengthBytes: 64 * KIB, file, hostOffset };
}

function served(): RunWords {
  return { kind: RunKind.Special, lengthBytes: 64 * KIB };
}

function hole(): RunWords {
  return { kind: RunKind.Zero, lengthBytes: 64 * KIB };
}

for (const [name, [needsDirectIo, ...runs]] of Object.entries(NEIGHBOURS)) {
  Deno.test(`ViewMetadata.needsDirectIo is ${needsDirectIo} before ${name}`, () => {
    using folder = new TempDirectory();
    using files = new Files(folder);
    assertEquals(metadataOf(files, runs, "disk").needsDirectIo, needsDirectIo);
  });
}

Deno.test("ViewMetadata.needsDirectIo looks beyond a hole", () => {
  using folder = new TempDirectory();
  using files = new Files(folder);
  const runs = [plain(0, 4 * KIB), hole(), plain(1, 68 * KIB)];
  assertEquals(metadataOf(files, runs, "disk").needsDirectIo, true);
});

Deno.test("ViewMetadata never needs direct I/O for clusters of 64 KiB", () => {
  using folder = new TempDirectory();
  using files = new Files(folder);
  const cluster = fc.oneof(
    fc.constantFrom(hole(), served()),
    fc.tuple(fc.integer({ min: 0, max: FILES - 1 }), fc.integer({ min: 1, max: 4 }))
      .map(([file, cluster]) => plain(file, cluster * 64 * KIB)),
    // The last one is a RAW file, whose data begin with its first byte.
    fc.integer({ min: 0, max: 4 }).map((cluster) => plain(FILES - 1, cluster * 64 * KIB)),
  );
  fc.assert(fc.property(fc.array(cluster, { minLength: 1, maxLength: 40 }), (runs) => {
    const { needsDirectIo } = metadataOf(files, runs, "disk");
    assertEquals(needsDirectIo, false);
  }));
});
