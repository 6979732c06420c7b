// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { ImageAccess } from "../../src/disk/image_access.ts";
import { ReadRequest } from "../../src/disk/reader.ts";
import type { Image } from "../../src/image/driver.ts";
import { ImageFormatError } from "../../src/image/errors.ts";
import type { Mapping } from "../../src/image/mapping.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { DemandForm } from "../../src/view/demand_form.ts";
import { CHUNK_ENTRY, NO_BLOCK } from "../../src/view/layout.ts";
import { RunKind } from "../../src/view/run_list.ts";
import { openImageFile, sameBytes } from "../format/opened_image.ts";
import { randomNumbers } from "../support/images.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { contentOf, readServed, type Served, servedBytes } from "./demanded.ts";
import { anyRuns, type RunWords, sizeOf } from "./runs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 2 ** 40;
const FILE_BYTES = 3 * MIB;
/** Of a device that a view can name all blocks of. */
const WINDOW_BYTES = 8 * TIB;

/** An image that answers what its words say; what is packed is a place that is damaged. */
class RunsImage implements Image {
  readonly sizeBytes: number;
  /** How many of its answers say that it has to wait. */
  blocks = 0;
  readonly #runs: readonly RunWords[];
  readonly #files: readonly ImageFile[];

  constructor(runs: readonly RunWords[], files: readonly ImageFile[]) {
    this.#runs = runs;
    this.#files = files;
    this.sizeBytes = sizeOf(runs);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    if (!mapping.attempt.mayWait && this.blocks-- > 0) return mapping.setBlocked();
    let start = 0;
    for (const run of this.#runs) {
      const end = start + run.lengthBytes;
      if (guestOffset < end) {
        const count = Math.min(lengthBytes, end - guestOffset);
        return this.#answer(run, guestOffset - start, count, mapping);
      }
      start = end;
    }
  }

  #answer(run: RunWords, inRun: number, count: number, mapping: Mapping): void {
    const file = this.#files[run.file ?? 0];
    if (run.kind === RunKind.Packed) {
      throw new ImageFormatError("QCOW", file?.path ?? "", "damaged");
    }
    if (file === undefined || run.kind === RunKind.Zero) return mapping.setZero(count);
    if (run.kind === RunKind.Plain) {
      return mapping.setData(file, (run.hostOffset ?? 0) + inRun, count);
    }
    mapping.setPacked(file, 0, 512);
    mapping.setPiece(0, count, count);
  }

  [Symbol.dispose](): void {}
}

/** What is served of a disk of these runs, which has no file but those. */
function served(
  runs: readonly RunWords[],
  files: readonly ImageFile[],
): Served & { form: DemandForm; image: RunsImage } {
  const image = new RunsImage(runs, files);
  const limits = { offsetBytes: 0, sizeLimitBytes: 0, clusterBytes: () => 64 * KIB };
  const access = new ImageAccess(image, files, limits);
  const fileSizes = files.map(({ sizeBytes }) => sizeBytes);
  const form = new DemandForm({ access, fileSizes });
  return { form, image, ...contentOf(access, form) };
}

/** The entry of a chunk, as the kernel reads it. */
function entryOf({ content, formed }: Served, chunk: number): { device: number; block: number } {
  const bytes = readServed(content, formed.bytes.length + chunk * CHUNK_ENTRY.size, 8);
  const view = new DataView(bytes.buffer);
  return {
    device: view.getUint16(CHUNK_ENTRY.device, true),
    block: view.getUint32(CHUNK_ENTRY.block, true),
  };
}

function openFiles(folder: TempDirectory, count: number, sizeBytes = FILE_BYTES): ImageFile[] {
  return Array.from({ length: count }, (_, index) => {
    const path = folder.file(`file${index}`);
    Deno.writeFileSync(path, new Uint8Array());
    Deno.truncateSync(path, sizeBytes);
    return openImageFile(path);
  });
}

const HOLE: RunWords = { kind: RunKind.Zero, lengthBytes: 64 * KIB };
const SPECIAL: RunWords = { kind: RunKind.Special, lengthBytes: 64 * KIB };
const DAMAGED: RunWords = { kind: RunKind.Packed, lengthBytes: 64 * KIB };

function plain(hostOffset: number, lengthBytes = 64 * KIB): RunWords {
  return { kind: RunKind.Plain, lengthBytes, file: 0, hostOffset };
}

Deno.test("DemandMetadata says of each chunk where it is", () => {
  using folder = new TempDirectory();
  const files = openFiles(folder, 1);
  const view = served([HOLE, plain(64 * KIB), SPECIAL, plain(MIB), DAMAGED, plain(0)], files);
  const entries = Array.from({ length: 6 }, (_, chunk) => entryOf(view, chunk));
  const block = (offset: number) => offset / 4096;
  assertEquals(entries, [
    { device: 0xffff, block: NO_BLOCK },
    { device: 1, block: block(64 * KIB) },
    { device: 2, block: block(4 * KIB + 128 * KIB) },
    { device: 1, block: block(MIB) },
    // The daemon says what is wrong with it, if it is read.
    { device: 2, block: block(4 * KIB + 256 * KIB) },
    { device: 1, block: 0 },
  ]);
  for (const file of files) file[Symbol.dispose]();
});

Deno.test("DemandMetadata leaves to the server what lies askew, or past the end", () => {
  using folder = new TempDirectory();
  const files = openFiles(folder, 1, FILE_BYTES + 512);
  const split = [plain(0, 32 * KIB), plain(MIB, 32 * KIB)];
  // So large that no place is looked at where these are.
  const large = { kind: RunKind.Zero, lengthBytes: 64 * 1024 * MIB };
  const askew = [...split, plain(FILE_BYTES), plain(512), plain(64 * KIB)];
  const view = served([large, ...askew], files);
  const first = large.lengthBytes / (64 * KIB);
  assertEquals([0, 1, 2, 3].map((chunk) => entryOf(view, first + chunk).device), [2, 2, 2, 1]);
  for (const file of files) file[Symbol.dispose]();
});

Deno.test("DemandMetadata gives what is served devices enough for its blocks to have numbers", () => {
  using folder = new TempDirectory();
  const files = openFiles(folder, 1);
  const far = { kind: RunKind.Zero, lengthBytes: 3 * WINDOW_BYTES };
  const view = served([far, SPECIAL, HOLE, plain(0)], files);
  const chunk = far.lengthBytes / (64 * KIB);
  assertEquals(entryOf(view, chunk), { device: 2 + 3, block: 1 });
  assertEquals(entryOf(view, chunk + 2), { device: 1, block: 0 });
  const { windows, leadBytes } = view.formed;
  assertEquals(windows.length, 4);
  assertEquals(windows[3]?.startBytes, leadBytes - 4096 + far.lengthBytes);
  for (const file of files) file[Symbol.dispose]();
});

Deno.test("DemandMetadata waits only if it may, and then goes on", () => {
  using folder = new TempDirectory();
  const files = openFiles(folder, 1);
  const runs = Array.from({ length: 4000 }, (_, index) => index % 2 ? HOLE : plain(0));
  const { content, formed, image } = served(runs, files);
  const expected = readServed(content, 0, 28 * KIB);
  const again = served(runs, files);
  const request = new ReadRequest();
  request.attempt.mayWait = false;
  const buffer = new IoBuffer(28 * KIB);
  let tries = 0;
  for (again.image.blocks = 1; tries < 40; tries++) {
    if (again.content.read(request.ask(0, 28 * KIB).into(buffer, 0))) break;
    // Blocked once more in the middle of each page.
    again.image.blocks = 0;
    if (tries % 2 === 0) again.image.blocks = 1;
  }
  assert(tries > 0 && tries < 40);
  assert(sameBytes(buffer.bytes, expected));
  assertEquals(image.blocks, 0);
  assertLessOrEqual(formed.bytes.length, 4096 * 2);
  for (const file of files) file[Symbol.dispose]();
});

Deno.test("ServedContent has the disk behind the metadata", () => {
  using folder = new TempDirectory();
  const path = folder.file("file0");
  const random = randomNumbers(5);
  const bytes = Uint8Array.from({ length: FILE_BYTES }, () => random() * 256);
  Deno.writeFileSync(path, bytes);
  const files = [openImageFile(path)];
  const { content, formed: { leadBytes } } = served([plain(MIB, MIB)], files);
  assertEquals(content.sizeBytes, leadBytes + MIB);
  const across = readServed(content, leadBytes - 5000, 10_000);
  assert(sameBytes(across.subarray(5000), bytes.subarray(MIB, MIB + 5000)));
  assert(across.subarray(904, 5000).every((byte) => byte === 0));
  for (const file of files) file[Symbol.dispose]();
});

/** What a chunk's entry says must be what the runs say. */
function check(runs: readonly RunWords[], view: ReturnType<typeof served>): void {
  const { formed: { demand, windows }, form } = view;
  const chunkBytes = 2 ** (demand?.chunkBits ?? 0);
  const sizeBytes = sizeOf(runs);
  for (let chunk = 0; chunk * chunkBytes < sizeBytes; chunk++) {
    const start = chunk * chunkBytes;
    const end = Math.min(start + chunkBytes, sizeBytes);
    const { device, block } = entryOf(view, chunk);
    let at = 0;
    const inside = runs.filter(({ lengthBytes }) => {
      at += lengthBytes;
      return at - lengthBytes < end && at > start;
    });
    const isServed = device > form.fileStarts.length;
    if (block === NO_BLOCK) {
      assert(inside.every(({ kind }) => kind === RunKind.Zero));
    } else if (isServed) {
      assert(inside.some(({ kind }) => kind !== RunKind.Zero));
      const window = windows[device - form.fileStarts.length - 1];
      assertLessOrEqual(
        block * 4096 + Math.ceil((end - start) / 4096) * 4096,
        window?.sizeBytes ?? 0,
      );
      assertEquals(block * 4096 - 4096, start);
    } else {
      assert(inside.every(({ kind, file }) => kind === RunKind.Plain && file === device - 1));
      const offset = block * 4096 + (form.fileStarts[device - 1] ?? 0);
      assertLessOrEqual(offset + Math.ceil((end - start) / 4096) * 4096, FILE_BYTES);
      let before = 0;
      for (const { lengthBytes, hostOffset = 0 } of runs) {
        const from = Math.max(start, before);
        const overlap = Math.min(end, before + lengthBytes) - from;
        if (overlap > 0) assertEquals(hostOffset + from - before, offset + from - start);
        before += lengthBytes;
      }
    }
  }
}

Deno.test("DemandMetadata never leaves a file, whatever the runs say", () => {
  using folder = new TempDirectory();
  const files = openFiles(folder, 3);
  fc.assert(
    fc.property(anyRuns(FILE_BYTES), (runs) => check(runs, served(runs, files))),
    { numRuns: 100 },
  );
  for (const file of files) file[Symbol.dispose]();
});

oracleTest("DemandMetadata is what erofs-utils read", ["fsck.erofs"], async () => {
  using folder = new TempDirectory();
  const random = randomNumbers(9);
  const bytes = Uint8Array.from({ length: FILE_BYTES }, () => random() * 256);
  const path = folder.file("file0");
  Deno.writeFileSync(path, bytes);
  const files = [openImageFile(path)];
  // Without holes, which fsck.erofs 1.5 leaves out; chunks of the end are in neither order.
  const runs = Array.from(
    { length: 700 },
    (_, index) => index % 7 === 0 ? SPECIAL : plain((index * 11 % 47) * 64 * KIB),
  );
  const { content, formed } = served(runs, files);
  const disk = new Uint8Array(sizeOf(runs)).fill(0x5a);
  runs.forEach(({ kind, hostOffset = 0 }, index) => {
    if (kind !== RunKind.Plain) return;
    disk.set(bytes.subarray(hostOffset, hostOffset + 64 * KIB), index * 64 * KIB);
  });
  Deno.writeFileSync(folder.file("metadata"), readServed(content, 0, formed.leadBytes));
  Deno.writeFileSync(folder.file("served"), servedBytes(disk));
  const devices = [path, folder.file("served")].map((file) => `--device=${file}`);
  const out = folder.file("out");
  await must("fsck.erofs", ...devices, `--extract=${out}`, folder.file("metadata"));
  await must("chmod", "-R", "u+w", out);
  assert(sameBytes(Deno.readFileSync(`${out}/disk`), disk));

  for (const file of files) file[Symbol.dispose]();
});
