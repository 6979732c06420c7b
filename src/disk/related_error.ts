/**
 * Errors about files that images need.
 *
 * @module
 */
import { RelatedFileError } from "../image/errors.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { reasonOf } from "../sys/reason.ts";

/** What an error is about. */
interface Named {
  readonly shown: string;
  readonly role: "backing file" | "data file" | "parent" | "piece" | "pieces";
  readonly by: ImageFile;
}

/** Errors say which file they are about: the user may never have heard of it. */
export function explained<T>({ shown, role, by }: Named, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof RelatedFileError) throw error;
    const reason = reasonOf(error);
    const message = `${shown} (${role} of ${by.path}): ${reason}`;
    throw new RelatedFileError(shown, message, { cause: error });
  }
}
