/**
 * Hostile images that are written to: nothing is written but where the image's own tables allow it, and
 * nothing else goes wrong than that an image is refused.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../src/image/errors.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";
import { type Bytes, mutated, type Original } from "./mutations.ts";
import { Random, randomOp } from "./qcow/write/random_ops.ts";
import { Recording, type Step } from "./qcow/write/recording.ts";
import { WritableDisk } from "./qcow/write/writable_disk.ts";

const IMAGES = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 2000);
const OPS = 12;
/** What is larger would only take long to write. */
const MOST_BYTES = 64 * 1024;
const FOLDER = memoryFolder();

/** Images of one format, and what may be done to them. */
export interface HostileImages {
  readonly format: string;
  readonly original: Original;
  /** How many of the usual number of images there are to be, where each takes long. */
  readonly share?: number;
  /** Whether a step changes what such an image may have changed. */
  isAllowed(step: Step, before: Bytes): boolean;
}

function isExpected(error: unknown): boolean {
  return error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
    error instanceof RelatedFileError || error instanceof SystemError;
}

/** Registers a test of them. */
export function testHostileWrites({ format, original, share = 1, isAllowed }: HostileImages): void {
  Deno.test(`${format} writes nowhere else to hostile images`, () => {
    using folder = new TempDirectory(FOLDER);
    const path = folder.file("hostile");
    const random = new Random(11);
    const chance = (): number => random.below(2 ** 32) / 2 ** 32;
    const images = IMAGES * share;
    let written = 0;
    for (let n = 0; n < images; n++) {
      const bytes = mutated(original, chance);
      Deno.writeFileSync(path, bytes);
      const recording = new Recording();
      const file = recording.open(path);
      try {
        using disk = new WritableDisk(path, { file, request: { format } });
        writeAllOver(disk, random);
        disk.flush();
      } catch (error) {
        if (!isExpected(error)) throw new Error(`image ${n}`, { cause: error });
        file[Symbol.dispose]();
      }
      const wrong = recording.steps.filter((step) => !isAllowed(step, bytes));
      assertEquals(wrong.length, 0, `image ${n}`);
      if (recording.steps.length > 0) written++;
    }
    assertGreater(written, images / 20);
  });
}

function writeAllOver(disk: WritableDisk, random: Random): void {
  const sizeBytes = Math.min(disk.sizeBytes, 2 ** 40);
  if (sizeBytes === 0) return;
  const limits = { sizeBytes, mostBytes: MOST_BYTES, unitBytes: 4096 };
  for (let id = 1; id <= OPS; id++) {
    try {
      disk.apply(randomOp(random, limits, id));
    } catch (error) {
      if (!isExpected(error)) throw error;
    }
  }
}
