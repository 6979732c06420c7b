/**
 * Telling property lists of sparse bundles from other files.
 *
 * @module
 */
import { TYPE } from "./layout.ts";

/** Whether a file that begins with `head` is the property list of a sparse bundle. */
export function isPropertyList(head: Uint8Array): boolean {
  // "<", perhaps behind the mark of an encoding
  if (head.indexOf(0x3c) < 0 || head.indexOf(0x3c) > 3) return false;
  const text = new TextDecoder().decode(head);
  return text.includes("<plist") && text.includes(`<string>${TYPE}</string>`);
}
