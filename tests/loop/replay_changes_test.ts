/**
 * What a daemon does that takes the place of a killed one, besides making its changes once more.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChangeJournal } from "../../src/disk/change_journal.ts";
import { createQcow } from "../../src/format/qcow/create.ts";
import { replayChanges } from "../../src/loop/replay_changes.ts";
import { EIO, SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { Recording } from "../format/qcow/write/recording.ts";
import { openForWriting, WritableDisk } from "../format/qcow/write/writable_disk.ts";
import { buildVhd } from "../format/vhd/image_builder.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";

openLibc();

const MIB = 1024 * 1024;
const RECORDS = 64;

/** Daemons of one image, one after the other. */
class Daemons implements Disposable {
  readonly memory = new IoBuffer((1 + RECORDS) * 64);
  readonly #folder = new TempDirectory(memoryFolder());
  readonly path = this.#folder.file("image");
  readonly #store = this.#folder.file("store");
  /** What the last one that was opened does. */
  recording = new Recording();

  constructor(make: (path: string) => void) {
    Deno.writeFileSync(this.#store, new Uint8Array());
    make(this.path);
  }

  open(format: string): WritableDisk {
    this.recording = new Recording();
    const store = openForWriting(this.#store);
    const kept = { memory: this.memory, store, storeOffset: 0 };
    const file = this.recording.open(this.path);
    const disk = new WritableDisk(this.path, { file, kept, request: { format } });
    const dispose = disk[Symbol.dispose].bind(disk);
    disk[Symbol.dispose] = () => {
      dispose();
      store[Symbol.dispose]();
    };
    return disk;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

function makeQcow(path: string): void {
  Deno.writeFileSync(path, new Uint8Array());
  using file = openForWriting(path);
  createQcow(file, { sizeBytes: MIB, clusterBits: 16 });
}

Deno.test("a flush makes durable, too, what a killed daemon had written in place", () => {
  using daemons = new Daemons((path) =>
    Deno.writeFileSync(path, buildVhd({ map: [0, undefined], stored: 1 }))
  );
  {
    using disk = daemons.open("VHD");
    disk.write(0, new Uint8Array(512).fill(1));
  }
  using disk = daemons.open("VHD");
  assertEquals(replayChanges(disk.access), 0);
  const { syncs } = daemons.recording;
  const before = syncs.length;
  assert(disk.flush());
  assertEquals(syncs.length, before + 1);
  assert(disk.flush());
  assertEquals(syncs.length, before + 1);
});

Deno.test("what is written in place to a new block is not cleared once more with what was there before", () => {
  using daemons = new Daemons((path) =>
    Deno.writeFileSync(path, buildVhd({ map: [undefined, undefined], stored: 0 }))
  );
  const [first, second] = [new Uint8Array(1024).fill(1), new Uint8Array(512).fill(2)];
  {
    using disk = daemons.open("VHD");
    disk.discard(0, disk.sizeBytes);
    disk.write(1536, first);
    disk.write(0, second);
  }
  using disk = daemons.open("VHD");
  replayChanges(disk.access);
  assertEquals(disk.read(1536, 1024), first);
  assertEquals(disk.read(0, 512), second);
  assertEquals(disk.read(512, 1024), new Uint8Array(1024));
});

Deno.test("nothing builds on a write that was lost before the daemon was killed", () => {
  using daemons = new Daemons(makeQcow);
  const first = new Uint8Array(65536).fill(1);
  const second = new Uint8Array(65536).fill(2);
  {
    using disk = daemons.open("QCOW");
    disk.write(0, first);
    assert(disk.flush());
    disk.discard(0, 65536);
    disk.write(65536, second);
    // On the disk, the first cluster may be in use still.
    daemons.recording.fault = (call) => call === "fdatasync" ? EIO : 0;
    assertEquals(disk.flush(), false);
  }
  for (let again = 0; again < 2; again++) {
    using disk = daemons.open("QCOW");
    assertEquals(replayChanges(disk.access), 2);
    assertEquals(disk.read(65536, 65536), second);
    assertEquals(disk.read(0, 512), new Uint8Array(512));
    assertEquals(disk.flush(), false);
    assertThrows(() => disk.write(0, first), SystemError);
    const { memory } = daemons;
    assertEquals([...new ChangeJournal({ memory }, []).changes()].length, 2);
    const punched = daemons.recording.steps.filter(({ kind }) => kind === "punch");
    assertEquals(punched, []);
  }
});
