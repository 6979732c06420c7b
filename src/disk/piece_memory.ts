/**
 * The memory of a cache of decompressed pieces: one for each image of a chain, whatever number of
 * threads serves it. The thread that first needs it reserves it, and the others find it.
 *
 *     none ──the first piece──> reserving ──> reserved, until the process ends or it is disposed of
 *
 * @module
 */
import { fewestPieces, slotCount } from "../image/cache_sizes.ts";
import { reservePages, returnPages } from "../sys/pages.ts";

/** The smallest piece there is: of a QCOW image with the smallest clusters. */
const MIN_PIECE_BYTES = 512;

/** What all threads know, as indexes of 32-bit integers; the state of the slots follows. */
const Field = {
  Phase: 0,
  SlotBytes: 1,
  Slots: 2,
  /** Of the first slot. */
  AddressLow: 3,
  AddressHigh: 4,
  size: 5,
} as const;

const Phase = { None: 0, Reserving: 1, Reserved: 2 } as const;

/** What bounds the memory. */
export interface PieceLimits {
  /** Upper bound of the memory, but for the fewest slots. */
  readonly cacheBytes: number;
  /** Of the image: 0 for the top one. */
  readonly depth: number;
  /** Size of the disk, which bounds it, too. */
  readonly sizeBytes: number;
  /** As {@link Packing.maxPieceBytes}; undefined where all pieces have the size of the first. */
  readonly maxPieceBytes?: number | undefined;
}

/** Memory that is reserved: slots of one size, and integers that say what is in them. */
export interface PieceSlots {
  readonly slotBytes: number;
  /** A power of two, or 0. */
  readonly slots: number;
  readonly address: number;
  /** {@link STATE_OF_CACHE} and {@link STATE_OF_SLOT} integers, all 0 at first. */
  readonly state: Int32Array<SharedArrayBuffer>;
}

/** Integers that the cache has for itself, and for each of its slots. */
export const STATE_OF_CACHE = 2;
export const STATE_OF_SLOT = 4;

/** One image's memory, as one thread sees it. */
export class PieceMemory implements Disposable {
  readonly #fields: Int32Array<SharedArrayBuffer>;
  readonly #limits: PieceLimits;

  /** @param shared what the first thread has, of which this is another one */
  constructor(limits: PieceLimits, shared?: SharedArrayBuffer) {
    this.#limits = limits;
    const integers = Field.size + STATE_OF_CACHE +
      slotsFor(MIN_PIECE_BYTES, limits) * STATE_OF_SLOT;
    this.#fields = new Int32Array(shared ?? new SharedArrayBuffer(integers * 4));
  }

  /** For another thread. */
  get shared(): SharedArrayBuffer {
    return this.#fields.buffer;
  }

  /** What some thread has reserved, if one has. */
  get reserved(): PieceSlots | undefined {
    return this.#phase === Phase.Reserved ? this.#slots() : undefined;
  }

  /**
   * Reserves room for pieces, unless that has been done.
   *
   * @param pieceBytes size of the first piece
   * @throws {SystemError} ENOMEM
   */
  reserve(pieceBytes: number): PieceSlots {
    const fields = this.#fields;
    while (this.#phase !== Phase.Reserved) {
      const before = Atomics.compareExchange(fields, Field.Phase, Phase.None, Phase.Reserving);
      if (before === Phase.None) this.#fillOrGiveUp(this.slotBytesFor(pieceBytes));
      else Atomics.wait(fields, Field.Phase, Phase.Reserving);
    }
    return this.#slots();
  }

  /** Size of a slot for pieces like one of `pieceBytes`. */
  slotBytesFor(pieceBytes: number): number {
    return this.#limits.maxPieceBytes ?? pieceBytes;
  }

  /** How many pieces like one of `pieceBytes` there is room for. */
  slotsFor(pieceBytes: number): number {
    return slotsFor(this.slotBytesFor(pieceBytes), this.#limits);
  }

  #fillOrGiveUp(slotBytes: number): void {
    let outcome: number = Phase.None;
    try {
      this.#fill(slotBytes);
      outcome = Phase.Reserved;
    } finally {
      Atomics.store(this.#fields, Field.Phase, outcome);
      Atomics.notify(this.#fields, Field.Phase);
    }
  }

  #fill(slotBytes: number): void {
    const slots = slotsFor(slotBytes, this.#limits);
    const address = slots === 0 ? 0 : reservePages(slots * slotBytes);
    this.#fields[Field.SlotBytes] = slotBytes;
    this.#fields[Field.Slots] = slots;
    this.#fields[Field.AddressLow] = address | 0;
    this.#fields[Field.AddressHigh] = Math.floor(address / 2 ** 32);
  }

  get #phase(): number {
    return Atomics.load(this.#fields, Field.Phase);
  }

  #slots(): PieceSlots {
    const [, slotBytes = 0, slots = 0, low = 0, high = 0] = this.#fields;
    const address = high * 2 ** 32 + (low >>> 0);
    return { slotBytes, slots, address, state: this.#fields.subarray(Field.size) };
  }

  /** Gives it back. No thread may use it any more. */
  [Symbol.dispose](): void {
    const { reserved } = this;
    if (reserved === undefined) return;
    Atomics.store(this.#fields, Field.Phase, Phase.None);
    if (reserved.slots > 0) returnPages(reserved.address, reserved.slots * reserved.slotBytes);
  }
}

function slotsFor(slotBytes: number, limits: PieceLimits): number {
  const { cacheBytes, depth, sizeBytes } = limits;
  const pieces = Math.ceil(sizeBytes / slotBytes);
  return slotCount({ slotBytes, cacheBytes, pieces }, fewestPieces(depth, slotBytes));
}
