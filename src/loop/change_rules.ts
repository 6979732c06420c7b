/**
 * Changes as the user wants them, whatever their clients ask for.
 *
 * @module
 */
import { type Change, ChangeKind } from "../disk/change.ts";
import { DEFAULT_WRITE_POLICY, type WritePolicy } from "./write_policy.ts";

/** Makes changes what they shall be. */
export class ChangeRules {
  readonly #policy: WritePolicy;

  constructor(policy: WritePolicy) {
    this.#policy = policy;
  }

  /** Those of a policy; undefined if it has all changes be as they are asked for. */
  static of(policy: WritePolicy): ChangeRules | undefined {
    const { cache, discard, detectZeroes } = DEFAULT_WRITE_POLICY;
    const isDefault = policy.cache === cache && policy.discard === discard &&
      policy.detectZeroes === detectZeroes;
    return isDefault ? undefined : new ChangeRules(policy);
  }

  /** Whether who flushes is told at once that it is done. */
  get ignoresFlushes(): boolean {
    return this.#policy.cache === "unsafe";
  }

  /** Adapts a change that is asked for; false if nothing is left of it. */
  adapt(change: Change): boolean {
    const { cache, discard } = this.#policy;
    if (change.kind === ChangeKind.Discard && discard === "ignore") return false;
    if (change.kind === ChangeKind.Write) this.#detectZeros(change);
    else if (discard === "ignore") change.keepAllocated = true;
    if (cache === "unsafe") change.mustBeDurable = false;
    else if (cache === "writethrough" && change.kind !== ChangeKind.Discard) {
      change.mustBeDurable = true;
    }
    return true;
  }

  #detectZeros(change: Change): void {
    const { detectZeroes } = this.#policy;
    if (detectZeroes === "off" || !writesZeros(change)) return;
    change.kind = ChangeKind.WriteZeroes;
    change.source = undefined;
    change.keepAllocated = detectZeroes !== "unmap";
    change.onlyIfFast = false;
  }
}

const WORD_BYTES = 4;

function writesZeros({ source, position, lengthBytes }: Change): boolean {
  if (source === undefined || lengthBytes === 0) return false;
  const { buffer, byteOffset } = source.bytes;
  const start = byteOffset + position;
  const end = start + lengthBytes;
  const firstWord = Math.ceil(start / WORD_BYTES) * WORD_BYTES;
  const words = Math.floor((end - firstWord) / WORD_BYTES);
  if (words <= 0) return areZeros(new Uint8Array(buffer, start, lengthBytes));
  const endOfWords = firstWord + words * WORD_BYTES;
  return areZeros(new Uint8Array(buffer, start, firstWord - start)) &&
    areZeros(new Uint8Array(buffer, endOfWords, end - endOfWords)) &&
    areZeros(new Int32Array(buffer, firstWord, words));
}

/** Looks no further than up to the first one that is not. */
function areZeros(numbers: Uint8Array | Int32Array): boolean {
  for (let n = 0; n < numbers.length; n++) if (numbers[n] !== 0) return false;
  return true;
}
