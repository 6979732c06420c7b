/**
 * Reference counts as they are stored (specification, "Host cluster management"): 1 to 64 bits each,
 * big-endian; of several in one byte, the first one has the lowest bits.
 *
 * @module
 */

/** Reads and changes the counts of a refcount block, or of a part of it. */
export interface Counts {
  /** Bits of each. */
  readonly bits: number;
  /** Exact up to 2^53. */
  get(view: DataView, index: number): number;
  /** @param value 0 up to {@link Counts.most}, but no more than 2^32 - 1 */
  set(view: DataView, index: number, value: number): void;
  /** Makes one that is not 0 less by one; returns what is left, exact up to 2^53. */
  lower(view: DataView, index: number): number;
}

/** @param order how many bits each has, as a power of two: 0 to 6 */
export function countsOf(order: number): Counts {
  switch (order) {
    case 3:
      return new Counts8();
    case 4:
      return new Counts16();
    case 5:
      return new Counts32();
    case 6:
      return new Counts64();
    default:
      return new BitCounts(2 ** order);
  }
}

abstract class SmallCounts implements Counts {
  abstract readonly bits: number;
  abstract get(view: DataView, index: number): number;
  abstract set(view: DataView, index: number, value: number): void;

  lower(view: DataView, index: number): number {
    const left = this.get(view, index) - 1;
    this.set(view, index, left);
    return left;
  }
}

class BitCounts extends SmallCounts {
  readonly bits: number;
  readonly #mask: number;

  constructor(bits: number) {
    super();
    this.bits = bits;
    this.#mask = 2 ** bits - 1;
  }

  get(view: DataView, index: number): number {
    const bit = index * this.bits;
    return view.getUint8(bit >>> 3) >>> (bit & 7) & this.#mask;
  }

  set(view: DataView, index: number, value: number): void {
    const bit = index * this.bits;
    const others = view.getUint8(bit >>> 3) & ~(this.#mask << (bit & 7));
    view.setUint8(bit >>> 3, others | value << (bit & 7));
  }
}

class Counts8 extends SmallCounts {
  readonly bits = 8;

  get(view: DataView, index: number): number {
    return view.getUint8(index);
  }

  set(view: DataView, index: number, value: number): void {
    view.setUint8(index, value);
  }
}

class Counts16 extends SmallCounts {
  readonly bits = 16;

  get(view: DataView, index: number): number {
    return view.getUint16(index * 2);
  }

  set(view: DataView, index: number, value: number): void {
    view.setUint16(index * 2, value);
  }
}

class Counts32 extends SmallCounts {
  readonly bits = 32;

  get(view: DataView, index: number): number {
    return view.getUint32(index * 4);
  }

  set(view: DataView, index: number, value: number): void {
    view.setUint32(index * 4, value);
  }
}

class Counts64 implements Counts {
  readonly bits = 64;

  get(view: DataView, index: number): number {
    return view.getUint32(index * 8) * 2 ** 32 + view.getUint32(index * 8 + 4);
  }

  set(view: DataView, index: number, value: number): void {
    view.setUint32(index * 8, 0);
    view.setUint32(index * 8 + 4, value);
  }

  lower(view: DataView, index: number): number {
    const low = view.getUint32(index * 8 + 4);
    view.setUint32(index * 8 + 4, low === 0 ? 0xffff_ffff : low - 1);
    if (low === 0) view.setUint32(index * 8, view.getUint32(index * 8) - 1);
    return this.get(view, index);
  }
}
