/**
 * The memory of the caches of decompressed clusters: one for an image, whatever number of threads
 * serves it. The thread that opens an image first reserves it, the others are told where it is.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import { slotCount, type SlotLimits } from "../image/cache_sizes.ts";

/** What a thread has to know of such a cache. */
export interface SharedClusters {
  readonly slotBytes: number;
  readonly slots: number;
  /** Of the first slot. The thread that has reserved it outlives the others. */
  readonly address: number;
  readonly state: SharedArrayBuffer;
}

/** Fewer, and threads that read in different places would take each other's clusters away. */
const MIN_SLOTS = 4;

/** Integers of 32 bits that describe so many slots. */
export type StateSize = (slots: number) => number;

/** The memory of one cache, reserved when the first cluster or the second thread needs it. */
export class ClusterMemory {
  readonly #limits: SlotLimits;
  #shared: SharedClusters | undefined;
  readonly #stateSize: StateSize;
  /** Kept as long as this. */
  #buffer: IoBuffer | undefined;

  /** @param shared what another thread has reserved, if one has */
  constructor(limits: SlotLimits, stateSize: StateSize, shared?: SharedClusters) {
    this.#limits = limits;
    this.#stateSize = stateSize;
    this.#shared = shared;
  }

  /** Undefined until it is reserved. */
  get reserved(): SharedClusters | undefined {
    return this.#shared;
  }

  reserve(): SharedClusters {
    return this.#shared ??= this.#reserve();
  }

  #reserve(): SharedClusters {
    const { slotBytes } = this.#limits;
    const slots = slotCount(this.#limits, MIN_SLOTS);
    this.#buffer = IoBuffer.ofPages(slots * slotBytes);
    const state = new SharedArrayBuffer(this.#stateSize(slots) * 4);
    return { slotBytes, slots, address: this.#buffer.address, state };
  }
}

/** Those of all images of a chain, in the order in which these are opened. */
export class ClusterCaches {
  readonly #memories: ClusterMemory[] = [];
  readonly #replay: readonly SharedClusters[] | undefined;

  /** @param replay {@link ClusterCaches.shared} of the thread that has opened the images first */
  constructor(replay?: readonly SharedClusters[]) {
    this.#replay = replay;
  }

  /** For another thread; reserves what is not reserved yet. */
  get shared(): SharedClusters[] {
    return this.#memories.map((memory) => memory.reserve());
  }

  /**
   * The memory for the next image.
   *
   * @throws {Error} if the image has not the clusters that it had for the first thread
   */
  add(limits: SlotLimits, stateSize: StateSize): ClusterMemory {
    const shared = this.#replay?.[this.#memories.length];
    if (this.#replay !== undefined && shared?.slotBytes !== limits.slotBytes) {
      throw new Error("the image has changed meanwhile");
    }
    const memory = new ClusterMemory(limits, stateSize, shared);
    this.#memories.push(memory);
    return memory;
  }
}
