/**
 * Checksums of what is read bit by bit.
 *
 * @module
 */
import { nodeCrypto } from "../crypt/node_crypto.ts";
import { crc32 } from "../format/kit/crc32.ts";
import type { SumMethod } from "../image/content_steps.ts";

/** One that goes on. */
interface RunningSum {
  add(bytes: Uint8Array): void;
  /** What it is so far, in hexadecimal digits. */
  readonly digits: string;
}

export class RunningSums {
  readonly #sums: ReadonlyMap<SumMethod, RunningSum>;

  constructor(methods: readonly SumMethod[]) {
    this.#sums = new Map(methods.map((method) => [method, begun(method)]));
  }

  add(bytes: Uint8Array): void {
    for (const sum of this.#sums.values()) sum.add(bytes);
  }

  /** Undefined if it is not computed. */
  digitsOf(method: SumMethod): string | undefined {
    return this.#sums.get(method)?.digits;
  }
}

function begun(method: SumMethod): RunningSum {
  return method === "crc32" ? new Crc() : new Digest(method);
}

class Crc implements RunningSum {
  #crc = 0;

  add(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
  }

  get digits(): string {
    return this.#crc.toString(16).padStart(8, "0");
  }
}

class Digest implements RunningSum {
  readonly #hash: ReturnType<ReturnType<typeof nodeCrypto>["createHash"]>;

  constructor(method: string) {
    this.#hash = nodeCrypto().createHash(method);
  }

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  get digits(): string {
    return this.#hash.copy().digest("hex");
  }
}
