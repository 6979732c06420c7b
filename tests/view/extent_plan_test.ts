// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { CompressionMethod } from "../../src/image/decoding.ts";
import { type ExtentPlan, planExtents } from "../../src/view/extent_plan.ts";
import { EXTENT_PARTIAL, MAX_EXTENT_BYTES } from "../../src/view/layout.ts";
import { ChunkSource } from "../../src/view/chunk_walker.ts";
import { RunKind, RunList } from "../../src/view/run_list.ts";
import { openImageFile } from "../format/opened_image.ts";
import { runOf, type RunWords, sizeOf } from "./runs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const { Deflate, Zstd, Zlib, Xz } = CompressionMethod;

/** A run that may be packed. */
interface PackedWords extends RunWords {
  readonly hostBytes?: number;
  readonly pieceBytes?: number;
  /** All of it by default. */
  readonly leastBytes?: number;
  readonly method?: CompressionMethod;
  /** How far in its piece it begins. */
  readonly inPiece?: number;
}

function packedListOf(runs: readonly PackedWords[]): RunList {
  using files = new DisposableStack();
  const open = [0, 1, 2].map(() => files.use(openImageFile("/dev/null")));
  const list = new RunList(open, { tellsPacked: true });
  let start = 0;
  for (const words of runs) {
    const run = runOf(open, words);
    const { hostBytes = 0, pieceBytes = words.lengthBytes, inPiece = 0 } = words;
    if (words.kind === RunKind.Packed) {
      run.isCompressed = true;
      run.mapping.setPacked(open[words.file ?? 0] ?? openImageFile("/dev/null"), 0, hostBytes);
      run.mapping.method = words.method ?? Deflate;
      run.mapping.setPiece(start - inPiece, pieceBytes, words.lengthBytes);
      run.mapping.leastBytes = words.leastBytes ?? pieceBytes;
    }
    list.add(run);
    start += words.lengthBytes;
  }
  return list;
}

interface Extent {
  readonly start: number;
  readonly source: number;
  readonly offset: number;
  readonly stored: number;
  /** 0 for plain ones, else the algorithm + 1. */
  readonly format: number;
}

function extentsOf(plan: ExtentPlan): Extent[] {
  return Array.from({ length: plan.length }, (_, extent) => {
    const form = plan.form(extent);
    return {
      start: plan.start(extent),
      source: plan.source(extent),
      offset: plan.offset(extent),
      stored: form % EXTENT_PARTIAL,
      format: form >>> 28,
    };
  });
}

interface Surroundings {
  readonly fileSizes?: readonly number[];
  readonly headAt?: (file: number, hostOffset: number) => Uint8Array;
}

/** How a frame of zstd's begins, and one of 64 KiB. */
const START = [0x28, 0xb5, 0x2f, 0xfd] as const;
const FRAME = Uint8Array.of(...START, 0x60, 0x00, 0xff);

/** These bytes at a place, a usual frame everywhere else. */
function headFor(hostOffset: number, ...bytes: readonly number[]): Surroundings {
  return { headAt: (_, at) => at === hostOffset ? Uint8Array.from(bytes) : FRAME };
}

function planned(
  runs: readonly PackedWords[],
  { fileSizes = [MIB, MIB, MIB], headAt = () => FRAME }: Surroundings = {},
): ExtentPlan | undefined {
  return planExtents(packedListOf(runs), { sizeBytes: sizeOf(runs), fileSizes, headAt });
}

const PACKED: PackedWords = {
  kind: RunKind.Packed,
  lengthBytes: 64 * KIB,
  hostOffset: 70_001,
  hostBytes: 5000,
};
const ZERO: RunWords = { kind: RunKind.Zero, lengthBytes: 128 * KIB };

/** Of the only extent that is stored. */
function storedOf(words: PackedWords, surroundings: Surroundings = {}): Extent | undefined {
  const plan = planned([ZERO, words, PACKED], surroundings);
  return plan && extentsOf(plan).find(({ start }) => start === ZERO.lengthBytes);
}

Deno.test("planExtents() names the stored bytes of compressed clusters, at any place", () => {
  const plan = planned([ZERO, PACKED, { ...PACKED, hostOffset: 80_000, method: Zstd, file: 1 }]);
  assertEquals(plan && extentsOf(plan), [
    { start: 0, source: ChunkSource.Zero, offset: 0, stored: 0, format: 0 },
    { start: 128 * KIB, source: 0, offset: 70_001, stored: 5000, format: 3 },
    { start: 192 * KIB, source: 1, offset: 80_000, stored: 5000, format: 4 },
  ]);
  assertEquals([plan?.packedExtents, plan?.serverExtents], [2, 0]);
});

Deno.test("planExtents() divides plain runs, which are read as a whole", () => {
  const plain = { kind: RunKind.Plain, lengthBytes: 100 * KIB, hostOffset: 8 * KIB };
  const plan = planned([PACKED, plain]);
  assertEquals(
    plan && extentsOf(plan).slice(1).map(({ start, offset, stored }) => [start, offset, stored]),
    [
      [64 * KIB, 8 * KIB, 64 * KIB],
      [128 * KIB, 72 * KIB, 36 * KIB],
    ],
  );
});

for (
  const [what, words, surroundings] of [
    ["that begins with a zero byte", {}, headFor(70_001, 0, 1)],
    ["with zlib's header and checksum", { method: Zlib }, headFor(70_001, 0x78, 0x9c)],
    ["that the kernel is never given", { method: Xz }, headFor(70_001, ...FRAME)],
    ["that may be short", { leastBytes: 512 }, {}],
    ["that is no frame of zstd's", { method: Zstd }, headFor(70_001, ...FRAME.subarray(1))],
    [
      "that needs a window of 2 MiB",
      { method: Zstd },
      headFor(70_001, ...START, 0x40, 0x58, 0, 255),
    ],
    ["of another size than its frame's", { method: Zstd }, headFor(70_001, ...START, 0x60, 0, 254)],
    ["that does not say how much it is", { method: Zstd }, headFor(70_001, ...START, 0, 0x30)],
    ["that needs a dictionary", { method: Zstd }, headFor(70_001, ...START, 0x61, 1, 0, 255)],
    ["of which more than 1 MiB is stored", { hostOffset: 0, hostBytes: MIB + 1 }, {}],
    ["that has more than 1 MiB", { hostOffset: 0, pieceBytes: 2 * MIB }, {}],
    ["of which only a later part is seen", { hostOffset: 0, inPiece: 4096 }, {}],
  ] as const
) {
  Deno.test(`planExtents() leaves a cluster ${what} to a server`, () => {
    const other = { ...PACKED, hostOffset: 90_000 };
    const plan = planned([{ ...PACKED, ...words }, other], {
      fileSizes: [4 * MIB],
      ...surroundings,
    });
    const [first, second] = plan === undefined ? [] : extentsOf(plan);
    assertEquals([plan?.servedBytes, plan?.storedBytes], [64 * KIB, 128 * KIB]);
    assertEquals(first, {
      start: 0,
      source: ChunkSource.Server,
      offset: 0,
      stored: 64 * KIB,
      format: 0,
    });
    assertEquals(second?.source, 0);
  });
}

Deno.test("planExtents() copies what lies in the last block of a file, unless it is whole", () => {
  const end = 70_001 + 5000;
  const whole = Math.ceil(end / 4096) * 4096;
  assertEquals(storedOf(PACKED, { fileSizes: [whole] })?.source, 0);
  const plan = planned([ZERO, PACKED, PACKED], { fileSizes: [whole - 1] });
  assertEquals(plan?.copies, [
    { file: 0, hostOffset: 70_001, lengthBytes: 5000, position: 0 },
    { file: 0, hostOffset: 70_001, lengthBytes: 5000, position: 8192 },
  ]);
  assertEquals(plan?.copiedBytes, 16 * KIB);
});

Deno.test("planExtents() does not copy without end", () => {
  const many = Array.from({ length: 20_000 }, () => ({ ...PACKED, hostOffset: 2 * MIB }));
  const plan = planned([PACKED, ...many]);
  assert(plan !== undefined && plan.serverExtents > 10_000);
  assertLessOrEqual(plan.copiedBytes, 8 * MIB);
});

Deno.test("planExtents() is for compressed clusters, and for whole blocks", () => {
  assertEquals(planned([ZERO, { kind: RunKind.Special, lengthBytes: 64 * KIB }]), undefined);
  assertEquals(planned([{ ...ZERO, lengthBytes: 512 }, PACKED]), undefined);
});

Deno.test("planExtents() never leaves a file, whatever the runs say", () => {
  const run = fc.record({
    kind: fc.constantFrom(...Object.values(RunKind)),
    lengthBytes: fc.integer({ min: 1, max: 64 }).map((blocks) => blocks * 4096),
    file: fc.integer({ min: 0, max: 2 }),
    hostOffset: fc.oneof(
      fc.integer({ min: 0, max: 2 * MIB }),
      fc.integer({ min: 0, max: 512 }).map((blocks) => blocks * 4096),
      fc.constantFrom(2 ** 52, 2 ** 44),
    ),
    hostBytes: fc.integer({ min: 1, max: 2 * MIB }),
    method: fc.constantFrom(Deflate, Zstd),
    inPiece: fc.constantFrom(0, 0, 4096),
  });
  const sizes = fc.array(fc.integer({ min: 0, max: 2 * MIB }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 12 }), sizes, (runs, fileSizes) => {
      const plan = planned([...runs, PACKED], { fileSizes });
      if (plan === undefined) return;
      let end = 0;
      for (const { start, source, offset, stored, format } of extentsOf(plan)) {
        assert(start === 0 ? end === 0 : start > end, "in order, without gaps");
        end = start;
        assertLessOrEqual(stored, MAX_EXTENT_BYTES);
        if (source >= 0) assertLessOrEqual(offset + stored, fileSizes[source] ?? 0);
        if (source >= 0 && format === 0) assertEquals(offset % 4096, 0);
        if (source === ChunkSource.Copy) assertLessOrEqual(offset + stored, plan.copiedBytes);
        if (source === ChunkSource.Server) assertEquals([offset, format], [start, 0]);
      }
      for (const { hostOffset, lengthBytes, position } of plan.copies) {
        assert(
          hostOffset >= 0 && position % 4096 === 0 && position + lengthBytes <= plan.copiedBytes,
        );
      }
    }),
    { numRuns: 500 },
  );
});
