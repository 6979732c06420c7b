/**
 * Why some images are only read.
 *
 * @module
 */
import type { Source } from "../source.ts";

/** Types whose tables are never written. */
const READ_TYPES = ["VMFSSPARSE", "SESPARSE"];

/** What of an image cannot be written to, as far as its descriptor and its own header say; undefined if all can. */
export function obstacleIn({ descriptor: { extents }, own }: Source): string | undefined {
  if (own !== undefined) return own.header.obstacle;
  for (const { access, type, sizeBytes } of extents) {
    if (sizeBytes === 0) continue;
    if (access !== "RW") return `extents that are ${access}`;
    if (type === "ZERO" || READ_TYPES.includes(type)) return `extents of the type ${type}`;
  }
  return undefined;
}
