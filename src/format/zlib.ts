/**
 * The runtime's compression library, loaded when the first image needs it: most never do.
 *
 * @module
 */
import process from "node:process";

/** The functions of `node:zlib`. */
export type Zlib = typeof import("node:zlib");

/** Loads `node:zlib`, which costs nothing from the second call on. */
export function zlib(): Zlib {
  return process.getBuiltinModule("node:zlib");
}
