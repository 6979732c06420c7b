/**
 * The helper that a watcher starts when its daemon has ended without a last word.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Charge } from "../../src/daemon/charge.ts";
import { descriptorsLeft, type Heritage, makeManifest } from "../../src/daemon/heritage.ts";
import { REVIVE_ARGUMENT } from "../../src/daemon/hidden_arguments.ts";
import { KEPT_SECTIONS, KeptMemory, makeKeptMemory } from "../../src/daemon/kept_memory.ts";
import { ownIdentity } from "../../src/daemon/processes.ts";
import { GIVEN_UP } from "../../src/daemon/watcher.ts";
import { O_RDWR, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { openNull, spawn, waitFor } from "../../src/sys/spawn.ts";
import { ownCommand } from "./fuse/device.ts";
import { TempDirectory } from "../support/tools.ts";

openLibc();

const STATE = {
  version: 1,
  pid: 1,
  startTime: 1,
  device: "/dev/loop0",
  transport: "fuse",
  format: "RAW",
  readOnly: false,
  sizeBytes: 512,
  offsetBytes: 0,
  sizeLimitBytes: 0,
  image: "/image",
  imageDevice: [0, 0],
  imageInode: 1,
};

/** Whether the helper starts a daemon that is to take the place of one that has left this. */
function startsDaemon(...lines: readonly object[]): boolean {
  using folder = new TempDirectory();
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  Deno.writeTextFileSync(folder.file("state"), text);
  using stateFile = openFile(folder.file("state"), O_RDWR);
  using kept = makeKeptMemory();
  assert(kept);
  const memory = new KeptMemory(kept.number);
  const descriptors = { stateFile: [stateFile.number], kept: [kept.number] };
  const heritage = { job: {}, descriptors, deaths: [] } as unknown as Heritage;
  new Charge(memory).give(7);
  using manifest = makeManifest({ ...heritage, token: 7, giver: ownIdentity() });
  using nothing = openNull();
  const [program = "", ...words] = ownCommand();
  const standard = Array.from({ length: 7 }, () => nothing.number);
  const left = descriptorsLeft(heritage, { manifest: manifest.number, nothing });
  const pid = spawn(program, {
    argv: [program, ...words, REVIVE_ARGUMENT, STATE.device],
    fds: [...standard, ...left],
  });
  assertEquals(waitFor(pid), GIVEN_UP);
  const { lengthBytes } = KEPT_SECTIONS.counters;
  // All but what says which watcher is in charge.
  return memory.section("counters").bytes.subarray(4, lengthBytes).some((byte) => byte !== 0);
}

Deno.test("another daemon is started in the place of one that was killed", () => {
  assertEquals(startsDaemon(STATE), true);
});

Deno.test("none is started in the place of one that was killed after its last word but one", () => {
  for (const outcome of ["saved", "lost"]) assertEquals(startsDaemon(STATE, { outcome }), false);
});
