/**
 * How large a disk is to become: a size as losetup reads it, or how much more it is to have.
 *
 * @module
 */
import type { NewSize } from "../../disk/new_size.ts";
import { parseSizeBytes } from "./sizes.ts";
import { UsageError } from "./usage_error.ts";

const COMPLAINT = "failed to parse size";

/** @throws {UsageError} if `text` is no size, or how much less it is to be */
export function parseNewSize(text: string): NewSize {
  if (text.startsWith("-")) {
    throw new UsageError(`${COMPLAINT}: '${text}': a disk is not made smaller`);
  }
  const isMore = text.startsWith("+");
  return { bytes: parseSizeBytes(isMore ? text.slice(1) : text, COMPLAINT), isMore };
}
