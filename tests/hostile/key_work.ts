/**
 * How long a LUKS header makes whoever opens the image derive keys: as long as it says. Up to some
 * minutes that is its maker's choice, and no fault; more is refused (see the tests of LUKS).
 *
 * @module
 */
import type { Mutation } from "./mutations.ts";
import { indexOf } from "./victims.ts";

const MAGIC = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe);
const HEADER_BYTES = 592;
// LUKS On-Disk Format, sections "PHDR" and "key slot"
const DIGEST_ITERATIONS_AT = 164;
const SLOTS_AT = 208;
const SLOT_BYTES = 48;
const SLOTS = 8;
const ACTIVE = 0x00ac71f3;

/** Looks at the LUKS header of one image, if it has one. */
export class KeyWork {
  readonly #header: Uint8Array;
  readonly #start: number;

  constructor(image: Uint8Array) {
    this.#start = indexOf(image, MAGIC);
    this.#header = image.slice(this.#start, this.#start + HEADER_BYTES);
  }

  /** Iterations that trying all key slots takes after a mutation; 0 where there is no header. */
  iterationsAfter({ patches }: Mutation): number {
    if (this.#start < 0) return 0;
    const header = this.#header.slice();
    for (const { at, bytes } of patches) {
      bytes.forEach((byte, index) => header[at + index - this.#start] = byte);
    }
    const view = new DataView(header.buffer);
    const digestIterations = view.getUint32(DIGEST_ITERATIONS_AT);
    let sum = 0;
    for (let at = SLOTS_AT; at < SLOTS_AT + SLOTS * SLOT_BYTES; at += SLOT_BYTES) {
      if (view.getUint32(at) === ACTIVE) sum += view.getUint32(at + 4) + digestIterations;
    }
    return sum;
  }
}
