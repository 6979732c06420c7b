/**
 * Writing to a range of a file that is part of a disk as it is.
 *
 * @module
 */
import { Cleared, ClearOutcome, type Placement, type Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { clearRange } from "./clear_range.ts";

/** All places are known. */
export class PlainWriting implements Writing {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly #file: ImageFile;
  readonly #hostOffset: number;
  readonly #begin: () => void;

  /** @param begin is told before each change */
  constructor(file: ImageFile, hostOffset: number, begin: () => void) {
    this.files = [file];
    this.#file = file;
    this.#hostOffset = hostOffset;
    this.#begin = begin;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#begin();
    placement.setDirect(this.#file, this.#hostOffset + guestOffset, lengthBytes);
  }
}

/**
 * Clears a range of what is written without tables, beside parts that have some.
 *
 * @returns as {@link Tables.clear}
 * @throws as {@link Writing.place}
 */
export function clearPlain(
  writing: Writing,
  { guestOffset, lengthBytes }: { readonly guestOffset: number; readonly lengthBytes: number },
  to: Cleared,
  placement: Placement,
): number {
  if (to === Cleared.Nothing) return ClearOutcome.Unable;
  writing.place(guestOffset, lengthBytes, placement);
  const { file, hostOffset, lengthBytes: count } = placement;
  if (file === undefined) throw new Error("nowhere to clear");
  return clearRange(file, to, { hostOffset, lengthBytes: count }) ? count : ClearOutcome.Unable;
}
