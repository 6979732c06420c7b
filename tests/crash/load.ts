/**
 * Random changes of a disk by several clients, many of them under way at once: writes, zeroes, discards
 * and flushes, some of them durable when they are answered.
 *
 * @module
 */
import { type OpLimits, type Random, randomOp } from "../format/qcow/write/random_ops.ts";
import { pause } from "../support/patience.ts";
import type { PipelinedClient } from "./pipelined_client.ts";
import type { WrittenDisk } from "./written_disk.ts";

/** Of each client. */
const DEPTH = 6;

export interface Load {
  readonly disk: WrittenDisk;
  readonly clients: readonly PipelinedClient[];
  readonly random: Random;
  readonly limits: OpLimits;
  /** If not 0, after how long the next change follows an answer; nothing but writes is asked for then. */
  readonly paceMs: number;
  /** Of the flushes that there could be, only one of so many is asked for. */
  readonly flushEvery: number;
  /** The number of the first change. */
  readonly firstId: number;
  /** Whether to go on; all of it ends when the server does, too. */
  readonly goesOn: () => boolean;
}

/** Makes changes until it is to end, or the server has ended; the number of the next change. */
export async function runLoad(load: Load): Promise<number> {
  let id = load.firstId;
  const makeSome = async (client: PipelinedClient): Promise<void> => {
    while (load.goesOn() && await makeOne(load, client, id++)) {
      if (load.paceMs > 0) await pause(load.paceMs);
    }
  };
  const makers = load.clients.flatMap((client) =>
    Array.from({ length: DEPTH }, () => makeSome(client))
  );
  await Promise.all(makers);
  return id;
}

/** Whether the server still answered. */
async function makeOne(
  { disk, random, limits, paceMs, flushEvery }: Load,
  client: PipelinedClient,
  id: number,
): Promise<boolean> {
  const op = randomOp(random, limits, id);
  const isDurable = random.below(10) === 0;
  try {
    if (op.kind === "flush") {
      if (random.below(flushEvery) > 0) return true;
      const succeeded = disk.beginFlush();
      await client.change(op);
      succeeded();
      return true;
    }
    if (paceMs > 0 && op.kind !== "write") return true;
    const length = op.kind === "write" ? op.bytes.length : op.length;
    if (disk.isBusy(op.offset, length)) return true;
    const change = disk.begin(op);
    await client.change(op, isDurable);
    disk.end(change, isDurable);
    return true;
  } catch (error) {
    if (hasHungUp(error)) return false;
    throw error;
  }
}

/** Whether an error means that the server has ended. */
export function hasHungUp(error: unknown): boolean {
  return error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionReset;
}
