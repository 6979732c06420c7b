/**
 * Changes of an image that are chosen, not random, all of them recorded: for what is known to go wrong
 * elsewhere.
 *
 * @module
 */
import type { DoneOp } from "./crash_run.ts";
import type { RecordedRun } from "./crash_judge.ts";
import type { Original } from "./originals.ts";
import type { ScriptedOp } from "./random_ops.ts";
import { Recording } from "./recording.ts";
import { WritableDisk } from "./writable_disk.ts";

/** Makes `ops` one after the other, and frees all that can be after each; the daemon then is killed. */
export function scriptedRun(
  { path, dataPath, keys }: Original,
  ops: readonly ScriptedOp[],
): RecordedRun {
  const recording = new Recording();
  const done: DoneOp[] = [];
  const file = recording.open(path);
  using disk = new WritableDisk(path, {
    file,
    ...(keys === undefined ? {} : { keys }),
    ...(dataPath === undefined ? {} : { dataFile: recording.open(dataPath) }),
  });
  for (const op of ops) {
    const began = recording.steps.length;
    disk.apply(op);
    while (disk.access.freeSome());
    const ended = recording.steps.length;
    if (op.kind === "flush" || op.kind === "grow" || op.kind === "snapshot") {
      for (const earlier of done) earlier.durable = Math.min(earlier.durable, ended);
    }
    if (op.kind !== "flush" && op.kind !== "snapshot") {
      done.push({ op, began, ended, durable: op.kind === "grow" ? ended : Infinity });
    }
  }
  return { recording, done };
}
