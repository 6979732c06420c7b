/**
 * Telling descriptors from other files. The rule is qemu's (block/vmdk.c, `vmdk_probe`): comments and blank
 * lines, then the version.
 *
 * @module
 */
import { startsWith } from "../../kit/starts_with.ts";
import { DESCRIPTOR_MARK } from "../layout.ts";

const VERSION = /^version\s*=\s*[123]\s*$/i;
const LINE_FEED = 10;
const NUL = 0;

/** Whether a file that begins with `head` is a descriptor. */
export function isDescriptor(head: Uint8Array): boolean {
  if (startsWith(head, DESCRIPTOR_MARK)) return true;
  // What is no text, or has no line that ends, need not be looked at.
  if (head.indexOf(LINE_FEED) < 0 || head.subarray(0, head.indexOf(LINE_FEED)).includes(NUL)) {
    return false;
  }
  const lines = new TextDecoder().decode(head).split("\n").map((line) => line.trim());
  const first = lines.find((line) => line !== "" && !line.startsWith("#"));
  return first !== undefined && VERSION.test(first);
}
