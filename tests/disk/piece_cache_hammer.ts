/** A thread that uses a shared {@link PieceCache}, and looks whether all of it is right. */
import { PieceCache } from "../../src/disk/piece_cache.ts";
import type { PieceSlots } from "../../src/disk/piece_memory.ts";
import { bytesAt } from "../../src/sys/memory.ts";
import { randomNumbers } from "../support/images.ts";

export interface HammerTask {
  readonly memory: PieceSlots;
  readonly keys: number;
  readonly rounds: number;
}

export interface HammerResult {
  readonly found: number;
  readonly loaded: number;
  /** Times that some byte was not the key's. */
  readonly wrong: number;
}

function hammer({ memory, keys, rounds, seed }: HammerTask & { seed: number }): HammerResult {
  const cache = new PieceCache(memory);
  const numbers = randomNumbers(seed);
  const random = (below: number): number => Math.floor(numbers() * below);
  const all = bytesAt(memory.address, memory.slots * memory.slotBytes);
  let [found, loaded, wrong] = [0, 0, 0];
  const isRight = (address: number, key: number): boolean => {
    const start = address - memory.address;
    const isInside = start >= 0 && start < all.length; // otherwise it is this thread's spare
    const bytes = isInside ? all.subarray(start, start + memory.slotBytes) : undefined;
    return bytes?.every((byte) => byte === key) ?? bytesAt(address, 1)[0] === key;
  };
  for (let round = 0; round < rounds; round++) {
    const key = random(keys);
    let address = cache.find(key * memory.slotBytes);
    if (address >= 0) {
      found++;
    } else {
      cache.take(key * memory.slotBytes, memory.slotBytes).fill(key);
      // some pieces are damaged
      if (random(16) === 0) {
        cache.giveUp();
        continue;
      }
      address = cache.keep(key * memory.slotBytes);
      loaded++;
    }
    if (!isRight(address, key)) wrong++;
    if (random(64) === 0) cache.clear();
  }
  cache.clear();
  return { found, loaded, wrong };
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<HammerTask & { seed: number }>) => void;
  postMessage(result: HammerResult): void;
};
scope.onmessage = ({ data }) => scope.postMessage(hammer(data));
