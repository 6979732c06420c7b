/**
 * What can be said of a disk without reading all of its tables.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { Run } from "../disk/runs.ts";
import { ImageFormatError } from "../image/errors.ts";
import { alignmentBits, MAX_CHUNK_BITS, MIN_CHUNK_BITS } from "./plan.ts";

/** As many places are looked at: on a cold disk, each may take some milliseconds. */
const PLACES = 64;

export interface DiskSample {
  /** The largest chunks that clusters fall into, as far as is known. */
  readonly chunkBits: number;
  /** How much only a server can read of all that is stored, from 0 to 1; 0 if nothing was found. */
  readonly servedShare: number;
}

/** Looks at some places of a disk, waiting for them. What is damaged counts as zeros. */
export function sampleDisk(access: ImageAccess): DiskSample {
  const run = new Run();
  run.seesHoles = false;
  const { sizeBytes, clusterBytes } = access;
  let bits = Math.min(MAX_CHUNK_BITS, Math.floor(Math.log2(clusterBytes)));
  let stored = 0;
  let served = 0;
  const step = Math.ceil(sizeBytes / PLACES);
  for (let place = 0; place < sizeBytes; place += step) {
    if (!isStored(access, place, run)) continue;
    stored++;
    if (run.file === undefined) served++;
    else bits = Math.min(bits, alignmentBits(run.hostOffset - place, MAX_CHUNK_BITS));
  }
  const chunkBits = Math.max(MIN_CHUNK_BITS, bits);
  return { chunkBits, servedShare: stored === 0 ? 0 : served / stored };
}

function isStored(access: ImageAccess, place: number, run: Run): boolean {
  try {
    access.findRun(place, access.sizeBytes - place, run);
    return !run.isZero;
  } catch (error) {
    if (error instanceof ImageFormatError) return false;
    throw error;
  }
}
