/**
 * Telling descriptors from other files.
 *
 * @module
 */

/** What its outermost element is called. */
export const ROOT = "Parallels_disk_image";

/** Whether a file that begins with `head` is a descriptor. */
export function isDescriptor(head: Uint8Array): boolean {
  if (head[0] === 0) return false;
  const text = new TextDecoder().decode(head).trimStart();
  return text.startsWith("<") && text.includes(`<${ROOT}`);
}
