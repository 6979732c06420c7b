/**
 * Metadata that are made on demand: what has to be known for that. It travels to the daemon as JSON.
 *
 * @module
 */
import type { ChunkGeometry } from "./chunk_walker.ts";
import type { EntryGeometry } from "./chunk_entries.ts";

export interface DemandLayout extends ChunkGeometry, EntryGeometry {
  /** All that comes before the entries, in base64. */
  readonly head: string;
}

/** As {@link DemandLayout.head}. */
export function encodeHead(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function decodeHead(head: string): Uint8Array {
  return Uint8Array.from(atob(head), (char) => char.charCodeAt(0));
}
