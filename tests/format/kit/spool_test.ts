// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { fillSpool } from "../../../src/format/kit/spool/fill.ts";
import { SpooledImage } from "../../../src/format/kit/spool/spooled_image.ts";
import type { FillJob, FillTask } from "../../../src/image/arriving.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";
import { Extent, Mapping } from "../../../src/image/mapping.ts";
import { SPOOL_STEP_BYTES, SpoolFile } from "../../../src/storage/spool_file.ts";
import { SystemError } from "../../../src/sys/errno.ts";
import { unnamedFile } from "../../../src/sys/unnamed_file.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile, sameBytes } from "../opened_image.ts";

const MIB = 1024 * 1024;

/** Some that repeat, some that do not, and zeros at both ends of a step. */
function content(lengthBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 100_000; at < lengthBytes; at++) {
    const kind = at >>> 18 & 3;
    if (kind !== 3) bytes[at] = kind === 0 ? at * 2_654_435_761 >>> 24 : at >>> 9;
  }
  return bytes;
}

interface Filled {
  readonly bytes: Uint8Array;
  readonly allocatedBytes: number;
  readonly isComplete: boolean;
}

/** What comes of a compressed file; whatever happens, the spool is over then. */
function fill(stored: Uint8Array, job: Partial<FillJob> = {}): Filled {
  using folder = new TempDirectory();
  const path = folder.file("compressed");
  Deno.writeFileSync(path, stored);
  using source = openImageFile(path);
  using spool = new SpoolFile(unnamedFile(folder.path), "spool");
  const whole: FillJob = {
    kind: "gzip",
    format: "GZIP",
    sizeBytes: undefined,
    limitBytes: undefined,
    ...job,
  };
  try {
    const count = fillSpool(whole, { source, spool });
    const bytes = new Uint8Array(count);
    using reader = Deno.openSync(`/proc/self/fd/${spool.fd}`);
    for (let done = 0; done < count;) {
      const more = reader.readSync(bytes.subarray(done));
      if (more === null) break;
      done += more;
    }
    const { blocks } = reader.statSync();
    return { bytes, allocatedBytes: (blocks ?? 0) * 512, isComplete: spool.isComplete };
  } finally {
    assert(spool.isComplete || spool.hasFailed);
  }
}

const DISK = content(3 * MIB + 12_345);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("fillSpool() decompresses a member, several, and ignores what follows the last", () => {
  const [one, other] = [DISK.subarray(0, 1_000_001), DISK.subarray(1_000_001)];
  const members = joined(gzipSync(one), gzipSync(new Uint8Array(0)), gzipSync(other));
  for (const stored of [gzipSync(DISK), members, joined(members, new Uint8Array(700))]) {
    const { bytes, isComplete } = fill(stored);
    assert(sameBytes(bytes, DISK));
    assert(isComplete);
  }
});

Deno.test("fillSpool() decompresses frames", () => {
  const [one, other] = [DISK.subarray(0, 1_000_001), DISK.subarray(1_000_001)];
  const skipped = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const frames = joined(zstdCompressSync(one), skipped, zstdCompressSync(other));
  const job = { kind: "zstd", format: "ZSTD" } as const;
  for (const stored of [zstdCompressSync(DISK), frames]) {
    assert(sameBytes(fill(stored, { ...job, sizeBytes: DISK.length }).bytes, DISK));
  }
});

Deno.test("fillSpool() leaves holes where there are zeros", () => {
  const disk = new Uint8Array(8 * MIB + 7);
  disk.fill(1, 5 * MIB - 10, 5 * MIB + 10);
  const { bytes, allocatedBytes } = fill(gzipSync(disk));
  assert(sameBytes(bytes, disk));
  assert(allocatedBytes <= 256 * 1024, `${allocatedBytes} bytes`);
});

Deno.test("fillSpool() stops where nothing more is wanted", () => {
  const { bytes } = fill(gzipSync(DISK), { limitBytes: 2 * MIB + 77 });
  assert(sameBytes(bytes, DISK.subarray(0, 2 * MIB + 77)));
  assertEquals(fill(gzipSync(DISK), { limitBytes: 100 * MIB }).bytes.length, DISK.length);
});

Deno.test("fillSpool() refuses what is damaged, ends too soon, or is of another size", () => {
  const stored = gzipSync(DISK);
  const flipped = Uint8Array.from(stored);
  flipped[flipped.length - 6] = (flipped[flipped.length - 6] ?? 0) ^ 1; // of the checksum
  const cases: readonly [message: string, stored: Uint8Array, job: Partial<FillJob>][] = [
    ["it is damaged", flipped, {}],
    ["it ends too soon", stored.subarray(0, stored.length - 9), {}],
    ["it ends too soon", stored.subarray(0, 3), {}],
    [`it has ${DISK.length} bytes, not ${DISK.length + 1}`, stored, { sizeBytes: DISK.length + 1 }],
    ["it has more than 1000 bytes", stored, { sizeBytes: 1000 }],
    ["it is damaged", new Uint8Array(100), {}],
    ["Unknown frame descriptor", new Uint8Array(100), { kind: "zstd" }],
    ["it ends too soon", zstdCompressSync(DISK).subarray(0, 500), { kind: "zstd" }],
    ["it is damaged", new Uint8Array(100), { kind: "xz" }],
  ];
  for (const [message, bytes, job] of cases) {
    assertThrows(() => fill(bytes, job), ImageFormatError, message);
  }
});

/** A disk of three steps, and the spool that somebody else is to fill. */
class Scene implements Disposable {
  readonly #folder = new TempDirectory();
  readonly #source = this.#open();
  readonly spool = new SpoolFile(unnamedFile(this.#folder.path), "spool");
  readonly image: SpooledImage;
  readonly tasks: FillTask[] = [];

  constructor() {
    const job = { kind: "zstd", format: "ZSTD", sizeBytes: 3 * SPOOL_STEP_BYTES } as const;
    const spool = { file: this.spool, limitBytes: undefined };
    this.image = new SpooledImage({ source: this.#source, spool, job });
    const progress = (): void => {};
    this.image.arriving.begin({ fillInThread: (task) => this.tasks.push(task), progress });
  }

  #open(): ReturnType<typeof openImageFile> {
    Deno.writeFileSync(this.#folder.file("compressed"), new Uint8Array(10));
    return openImageFile(this.#folder.file("compressed"));
  }

  /** What it says of `lengthBytes` from `guestOffset` on. */
  map(guestOffset: number, lengthBytes: number): Mapping {
    const mapping = new Mapping();
    this.image.map(guestOffset, lengthBytes, mapping);
    return mapping;
  }

  [Symbol.dispose](): void {
    this.spool[Symbol.dispose]();
    this.#source[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("SpooledImage shows what is there, and has who wants more wait", () => {
  using scene = new Scene();
  const { image, spool } = scene;
  assertEquals(scene.tasks.map(({ kind, sizeBytes }) => [kind, sizeBytes]), [["zstd", 3 * MIB]]);
  assertEquals(scene.map(0, 512).kind, Extent.Blocked);
  spool.advance();
  assertEquals([scene.map(MIB - 512, 1024).kind, scene.map(MIB - 512, 1024).lengthBytes], [
    Extent.Data,
    512,
  ]);
  const { kind, attempt } = scene.map(MIB, 512);
  assertEquals(kind, Extent.Blocked);
  const told: number[] = [];
  attempt.awaited?.addWaiter({ finished: (errno) => told.push(errno) });
  image.arriving.reap(); // there is something that it had not seen before
  attempt.awaited?.addWaiter({ finished: (errno) => told.push(errno) });
  image.arriving.reap();
  assertEquals([told, image.arriving.isAwaited], [[0], true]);
  spool.advance();
  image.arriving.reap();
  assertEquals([told, image.arriving.isAwaited], [[0, 0], false]);
  assertEquals(scene.map(MIB, 3 * MIB).lengthBytes, MIB);
});

Deno.test("SpooledImage has nobody wait for what will not come", () => {
  using scene = new Scene();
  scene.spool.advance();
  const told: number[] = [];
  scene.map(MIB, 512).attempt.awaited?.addWaiter({ finished: (errno) => told.push(errno) });
  scene.spool.end("failed");
  scene.image.arriving.reap();
  assertEquals(told, [0]);
  assertEquals(scene.map(0, 512).kind, Extent.Data);
  assertThrows(() => scene.map(MIB, 512), SystemError, "Input/output error");
});
