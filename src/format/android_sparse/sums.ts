/**
 * The checksums of an image: one in its header, and chunks that have those of all that is before them. What
 * is not stored counts as zeros (libsparse, sparse_read.cpp).
 *
 * @module
 */
import type { ContentStep } from "../../image/content_steps.ts";
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readChunks } from "./chunks.ts";
import { readHeader } from "./header.ts";

/** Of a checksum in memory. */
const SUM_MEMORY_BYTES = 64;

/** @throws as {@link readHeader} and {@link readChunks} */
export function* contentSteps(file: ImageFile, memory: MemoryLimit): Generator<ContentStep> {
  const header = readHeader(file);
  const sums: { readonly expected: string; readonly endBytes: number }[] = [];
  const onSum = (sum: number, blocks: number): void => {
    memory.reserveMemory(SUM_MEMORY_BYTES);
    sums.push({ expected: digitsOf(sum), endBytes: blocks * header.blockBytes });
  };
  readChunks(file, header, { memory, onSum });
  yield { kind: "begin", methods: ["crc32"] };
  let at = 0;
  for (const { expected, endBytes } of sums) {
    yield { kind: "read", guestOffset: at, lengthBytes: endBytes - at };
    at = endBytes;
    yield { kind: "compare", method: "crc32", expected, name: `the first ${at} bytes` };
  }
  yield { kind: "read", guestOffset: at, lengthBytes: header.sizeBytes - at };
  if (header.sum === 0) return;
  yield { kind: "compare", method: "crc32", expected: digitsOf(header.sum), name: "the disk" };
}

function digitsOf(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}
