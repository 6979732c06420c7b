/**
 * The power fails while a daemon makes once more what a killed one had answered: what was durable stays so.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Change, ChangeKind } from "../../../../src/disk/change.ts";
import type { KeptChanges } from "../../../../src/disk/change_journal.ts";
import { replayChanges } from "../../../../src/loop/replay_changes.ts";
import { IoBuffer } from "../../../../src/sys/memory.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { crashStates } from "./crash_states.ts";
import { FileContent } from "./file_content.ts";
import { makeOriginal, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { Random } from "./random_ops.ts";
import { Recording } from "./recording.ts";
import { openForWriting, WritableDisk } from "./writable_disk.ts";

const CLUSTER = 64 * 1024;

oracleTest(
  "what was durable before a revival is so while changes are made once more",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory(memoryFolder());
    const { path } = await makeOriginal(folder.path, recipeOf("half full"));
    const storePath = folder.file("store");
    Deno.writeFileSync(storePath, new Uint8Array());
    using store = openForWriting(storePath);
    const kept: KeptChanges = { memory: new IoBuffer(64 * 64), store, storeOffset: 0 };
    const killed = new WritableDisk(path, { kept });
    const at = CLUSTER * 2;
    killed.write(at, new Uint8Array(CLUSTER).fill(1));
    assert(killed.flush());
    killed.discard(at, CLUSTER);
    killed.write(at, new Uint8Array(CLUSTER).fill(2));
    // As it had to be durable, it is, by a sync alone.
    assert(killed.access.isRecorded(new Change().ask(ChangeKind.Write, at, CLUSTER)));
    killed[Symbol.dispose]();
    const left = Deno.readFileSync(path);
    const recording = new Recording();
    const disk = new WritableDisk(path, { file: recording.open(path), kept });
    assertEquals(replayChanges(disk.access), 2);
    assertEquals(disk.read(at, 1)[0], 2);
    disk[Symbol.dispose]();
    const found = new Set<number | undefined>();
    const files = [new FileContent(left)];
    for (const state of crashStates(recording, files, { random: new Random(1), share: 1 })) {
      if (state.what !== "power failed") continue;
      Deno.writeFileSync(path, files[0]?.bytes ?? new Uint8Array());
      using then = new WritableDisk(path, { request: { readOnly: true } });
      found.add(then.read(at, 1)[0]);
    }
    assertEquals([...found], [2]);
  },
);
