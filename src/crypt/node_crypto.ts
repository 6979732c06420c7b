/**
 * Node's cryptography, loaded when the first encrypted image is opened: it costs time.
 *
 * @module
 */
import type * as NodeCrypto from "node:crypto";
import process from "node:process";

/** The module node:crypto. */
export function nodeCrypto(): typeof NodeCrypto {
  return process.getBuiltinModule("node:crypto") as typeof NodeCrypto;
}

/** Digest of `bytes`. @param hash one that {@link hasHash} knows */
export function digest(hash: string, ...bytes: readonly Uint8Array[]): Uint8Array {
  const sum = nodeCrypto().createHash(hash);
  for (const part of bytes) sum.update(part);
  return sum.digest();
}

/** Whether there is a hash function of that name. */
export function hasHash(hash: string): boolean {
  return nodeCrypto().getHashes().includes(hash);
}
