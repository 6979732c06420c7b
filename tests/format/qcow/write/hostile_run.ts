/**
 * Writing all over an image that may be damaged in any way.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  ImageFormatError,
  RelatedFileError,
  SecretError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { EIO, SystemError } from "../../../../src/sys/errno.ts";
import type { Original } from "./originals.ts";
import { type Random, randomOp } from "./random_ops.ts";
import { Recording } from "./recording.ts";
import { WritableDisk } from "./writable_disk.ts";

const OPS = 16;
const SLOT_BYTES = 512;

/** What is said where another data file is named than the one that is recorded. */
const OTHER_FILES = "the chain of images has changed";

/** Writes to an image all over, and closes it; undefined if it was refused at once. */
export function writeTo(
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
  const limits = { sizeBytes, mostBytes: Math.max(8 * unitBytes, 64 * 1024), unitBytes };
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
