/**
 * Which form a view of a disk has.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ChunkedForm } from "./chunked_form.ts";
import { DecodingForm } from "./decoding_form.ts";
import { DemandForm } from "./demand_form.ts";
import { type ExtentQuestions, planExtents } from "./extent_plan.ts";
import type { Forming, ViewForm } from "./form.ts";
import { MAX_CHUNKS, MAX_VIEW_BYTES } from "./plan.ts";
import { listRuns } from "./run_list.ts";
import { MAX_FRAME_HEADER_BYTES } from "../codec/zstd_frame.ts";

/**
 * Of a large disk, so many answers are looked at, some milliseconds' worth: whether it is all but empty,
 * so that a few large chunks do.
 */
const ANSWERS_OF_LARGE = 64 * 1024;

/**
 * The form that the kernel can have of a disk.
 *
 * @param decodes whether the kernel is to decompress what it can
 * @throws {ImageFormatError} if the image is damaged
 * @throws {RangeError} if the disk is too large
 */
export function viewForm(forming: Forming, decodes: boolean): ViewForm {
  const { sizeBytes } = forming.access;
  // Before all of its tables are read.
  if (sizeBytes > MAX_VIEW_BYTES) return new DemandForm(forming);
  const listed = listedForm(forming, decodes);
  // A server that has to be there in any case does more with less.
  const isServedAnyway = isLarge(forming) && !listed?.isDecoding && listed?.needsServer;
  return listed === undefined || isServedAnyway ? new DemandForm(forming) : listed;
}

/** Whether the clusters are too many to be listed each. */
function isLarge({ access: { sizeBytes, clusterBytes } }: Forming): boolean {
  return sizeBytes / clusterBytes > MAX_CHUNKS;
}

/** A form of which the metadata are made at once; undefined if they would be too much. */
function listedForm(forming: Forming, decodes: boolean): ViewForm | undefined {
  try {
    return formOfAll(forming, decodes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function formOfAll({ access, fileSizes }: Forming, decodes: boolean): ViewForm {
  const { sizeBytes } = access;
  const most = isLarge({ access, fileSizes }) ? { mostAnswers: ANSWERS_OF_LARGE } : {};
  const runs = listRuns(access, { tellsPacked: decodes, ...most });
  const headAt = headReader(access);
  const extents = decodes ? planExtents(runs, { sizeBytes, fileSizes, headAt }) : undefined;
  return extents === undefined
    ? new ChunkedForm(runs, { access, fileSizes })
    : new DecodingForm(extents, { access, fileSizes });
}

function headReader({ files }: ImageAccess): ExtentQuestions["headAt"] {
  const buffer = new IoBuffer(MAX_FRAME_HEADER_BYTES);
  return (file, hostOffset) => {
    files[file]?.read(buffer, 0, hostOffset, buffer.size);
    return buffer.bytes;
  };
}
