/**
 * Hostile images that are written to: nothing is written but where the image's own tables allow it, and
 * nothing else goes wrong than that an image is refused.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import { HOSTED_HEADER } from "../../../../src/format/vmdk/layout.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { type Bytes, mutated } from "../../mutations.ts";
import { Random, randomOp } from "../../qcow/write/random_ops.ts";
import { Recording, type Step } from "../../qcow/write/recording.ts";
import { WritableDisk } from "../../qcow/write/writable_disk.ts";
import { vmdkOriginal } from "../original.ts";

const IMAGES = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 2000);
const OPS = 12;
/** What is larger would only take long to write. */
const MOST_BYTES = 64 * 1024;
const FOLDER = memoryFolder();

/**
 * Whether a step changes what an image of such a header may have changed: never the header but for one
 * byte, nor directories; of the descriptor, eight digits.
 */
function isAllowed(step: Step, before: Bytes): boolean {
  if (step.kind === "size") return step.sizeBytes >= before.length;
  const { descriptor_offset, directory, redundant_directory, flags } = HOSTED_HEADER.read(
    new DataView(before.buffer),
    0,
  );
  const length = step.kind === "write" ? step.bytes.length : step.length;
  const touches = (start: number, bytes: number): boolean =>
    step.offset < start + bytes && start < step.offset + length;
  if (touches(0, 512)) return step.offset === HOSTED_HEADER.offsets.unclean && length === 1;
  if (touches(Number(descriptor_offset) * 512, 512)) return length === 8;
  if (touches(Number(directory) * 512, 4)) return false;
  return (flags & 2) === 0 || !touches(Number(redundant_directory) * 512, 4);
}

function isExpected(error: unknown): boolean {
  return error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
    error instanceof RelatedFileError || error instanceof SystemError;
}

Deno.test("vmdk writes nowhere else to hostile images", () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("hostile.vmdk");
  const original = vmdkOriginal();
  const random = new Random(12);
  const chance = (): number => random.below(2 ** 32) / 2 ** 32;
  let written = 0;
  for (let n = 0; n < IMAGES; n++) {
    const bytes = mutated(original, chance);
    Deno.writeFileSync(path, bytes);
    const recording = new Recording();
    const file = recording.open(path);
    try {
      using disk = new WritableDisk(path, { file, request: { format: "VMDK" } });
      const sizeBytes = Math.min(disk.sizeBytes, 2 ** 40);
      const limits = { sizeBytes, mostBytes: MOST_BYTES, unitBytes: 4096 };
      for (let id = 1; id <= OPS; id++) {
        try {
          disk.apply(randomOp(random, limits, id));
        } catch (error) {
          if (!isExpected(error)) throw error;
        }
      }
      disk.flush();
    } catch (error) {
      if (!isExpected(error)) throw new Error(`image ${n}`, { cause: error });
      file[Symbol.dispose]();
    }
    const wrong = recording.steps.filter((step) => !isAllowed(step, bytes));
    assertEquals(wrong, [], `image ${n}`);
    if (recording.steps.length > 0) written++;
  }
  assertGreater(written, IMAGES / 20);
});
