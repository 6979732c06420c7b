/**
 * Writing all over an image that may be damaged in any way.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import {
  ImageFormatError,
  RelatedFileError,
  SecretError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { EIO, SystemError } from "../../../../src/sys/errno.ts";
import { type Bytes } from "../../mutations.ts";
import { processorMs } from "../../../support/patience.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { makeOriginal, type Original, type OriginalRecipe } from "./originals.ts";
import { Random, randomOp, severalUnits } from "./random_ops.ts";
import { Recording } from "./recording.ts";
import { WritableDisk } from "./writable_disk.ts";

/** Of each feature; a campaign has more. */
const IMAGES = Number(Deno.env.get("TSLOSETUP_HOSTILE_WRITES") ?? 60);
const SEED = Number(Deno.env.get("TSLOSETUP_HOSTILE_SEED") ?? 1);
const SLOWEST_MILLISECONDS = 5000;
/** Where everything is memory. */
const FOLDER = memoryFolder();

const OPS = 16;
const SLOT_BYTES = 512;

/** What is said where another data file is named than the one that is recorded. */
const OTHER_FILES = "the chain of images has changed";

/** What is done to one kind of image. */
export interface HostileCampaign {
  readonly recipe: OriginalRecipe;
  readonly index: number;
  /** What makes damaged images of a whole one. */
  readonly damager: (original: Original) => (random: Random) => Bytes;
  /** What is wrong with what has been written to such an image. */
  readonly faultsOf: (recording: Recording, before: Bytes) => readonly string[];
  /** The part of the images that has to be written to: what is refused at once tests little. */
  readonly leastWritten: number;
}

/** Writes to many damaged images of one kind. */
export async function writeToHostile(campaign: HostileCampaign): Promise<void> {
  const { recipe, index, damager, faultsOf, leastWritten } = campaign;
  using folder = new TempDirectory(FOLDER);
  const original = await makeOriginal(folder.path, recipe);
  const damaged = damager(original);
  let written = 0;
  for (let n = 0; n < IMAGES; n++) {
    const random = new Random(SEED * 1_000_003 + index * 100_003 + n * 7);
    const bytes = damaged(random);
    Deno.writeFileSync(original.path, bytes);
    const start = processorMs();
    try {
      const recording = writeTo(original, random);
      if (recording === undefined) continue;
      written++;
      assertEquals(faultsOf(recording, bytes), []);
      assert(processorMs() - start < SLOWEST_MILLISECONDS, "too slow");
    } catch (error) {
      throw new Error(`image ${n}`, { cause: error });
    }
  }
  assertGreater(written, IMAGES * leastWritten);
}

/** Writes to an image all over, and closes it; undefined if it was refused at once. */
function writeTo(
  { path, dataPath, backingPath, keys }: Original,
  random: Random,
): Recording | undefined {
  const recording = new Recording();
  const disk = openIfPossible(path, {
    file: recording.open(path),
    // Now and then, so that hardly any table stays in memory.
    request: random.below(3) === 0 ? { metadataCacheBytes: SLOT_BYTES } : {},
    ...keys === undefined ? {} : { keys },
    ...dataPath === undefined ? {} : { dataFile: recording.open(dataPath) },
    ...dataPath === undefined || backingPath === undefined ? {} : { backingPath },
  });
  if (disk === undefined) {
    recording.close();
    assertEquals(recording.steps, [], "it was refused, but written to");
    return undefined;
  }
  const { unitBytes = 512 } = disk.access.image.writing?.tables ?? {};
  const sizeBytes = Math.min(disk.sizeBytes, 2 ** 40);
  const limits = { sizeBytes, mostBytes: Math.max(severalUnits(unitBytes), 64 * 1024), unitBytes };
  for (let id = 1; id <= OPS && sizeBytes > 0; id++) {
    attempt(() => disk.apply(randomOp(random, limits, id)));
  }
  attempt(() => disk.close());
  return recording;
}

function openIfPossible(
  path: string,
  options: ConstructorParameters<typeof WritableDisk>[1],
): WritableDisk | undefined {
  try {
    return new WritableDisk(path, options);
  } catch (error) {
    const isExpected = error instanceof ImageFormatError || error instanceof SecretError ||
      error instanceof UnsupportedFeatureError || error instanceof RelatedFileError;
    if (!isExpected && !String(error).includes(OTHER_FILES)) throw error;
    return undefined;
  }
}

/** Does something that may find damage, or be refused because some has been found before. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    const isExpected = error instanceof ImageFormatError ||
      error instanceof SystemError && error.errno === EIO;
    if (!isExpected) throw error;
  }
}
