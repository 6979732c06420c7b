/**
 * Changes of an image in the memory that outlives a daemon: records in a section of it, and what they are
 * about behind all sections, for as long as it takes to make them once more.
 *
 * @module
 */
import type { KeptChanges } from "../disk/change_journal.ts";
import { ImageFile } from "../storage/image_file.ts";
import { LentFd } from "../sys/files.ts";
import type { DescriptorLists } from "./job_descriptors.ts";
import { KEPT_BYTES, KeptMemory } from "./kept_memory.ts";

/** Shows in errors. */
const NAME = "memory for what was answered";

/**
 * Those of a daemon; undefined if nobody is to take its place.
 *
 * @throws {SystemError} as {@link KeptMemory}
 */
export function keptChanges({ kept: [fd] = [] }: DescriptorLists): KeptChanges | undefined {
  if (fd === undefined) return undefined;
  return {
    memory: new KeptMemory(fd).section("journal"),
    store: new ImageFile(new LentFd(fd), NAME),
    storeOffset: KEPT_BYTES,
  };
}
