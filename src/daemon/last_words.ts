/**
 * What a daemon that has ended without an answer had to say.
 *
 * @module
 */

/** What the runtime writes, somewhere in a report of many lines, when its heap is full. */
const HEAP_IS_FULL = "JavaScript out of memory";

/** The line of `output` that tells most; undefined if it says nothing at all. */
export function lastWords(output: string): string | undefined {
  const lines = output.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const error = lines.find((line) => line.startsWith("error:"));
  if (error !== undefined) return error;
  if (lines.some((line) => line.includes(HEAP_IS_FULL))) return "the image takes too much memory";
  return lines[0];
}
