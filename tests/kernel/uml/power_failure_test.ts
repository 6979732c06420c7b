/**
 * Power failures below a QCOW image with a file system on it: the device below that the image lies on is
 * logged (dm-log-writes), and put back to what it was at its flushes, with some of what was written
 * after that, or nothing. The image then is valid, the file system in it recovers, and has every file
 * that had been synced.
 *
 * TSLOSETUP_POWER_FAILURES says at how many flushes, if not at 16.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Random } from "../../format/qcow/write/random_ops.ts";
import { sameBytes } from "../../format/opened_image.ts";
import { leaksIn } from "../../crash/scenes.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { type BootedKernel, kernelTest } from "./kernels.ts";
import { loggedWrites, replay } from "./log_writes.ts";
import { runGuest, stepsOf } from "./uml.ts";

const STATES = Number(Deno.env.get("TSLOSETUP_POWER_FAILURES") ?? 16);
/** Of an xfs, which only a kernel recovers. */
const MOUNTED_STATES = Math.ceil(STATES / 4);
const DEVICE_BYTES = 256 * 1024 * 1024;
const FILES = 12;
const FOLDER = new URL("power_failure/", import.meta.url).pathname;
const BUILT = new URL("../../../dist/tslosetup", import.meta.url).pathname;

type FileSystem = "ext4" | "xfs";

/** What a power failure has left of the disk. */
interface Remains {
  readonly name: string;
  /** The disk, a raw file. */
  readonly disk: string;
  /** Whether it has a file system by now. */
  readonly isMade: boolean;
  /** The files that have to be on it. */
  readonly files: readonly string[];
}

function makeFiles(folder: string): void {
  Deno.mkdirSync(`${folder}/files`);
  const random = new Random(5);
  for (let n = 1; n <= FILES; n++) {
    const bytes = new Uint8Array(1 + random.below(700_000)).map(() => random.below(256));
    Deno.writeFileSync(`${folder}/files/${String(n).padStart(2, "0")}`, bytes);
  }
}

/** Records how files are written; the log is in `folder` then. */
async function record(
  t: Deno.TestContext,
  fs: FileSystem,
  { kernel, folder }: { readonly kernel: BootedKernel; readonly folder: TempDirectory },
): Promise<void> {
  const program = Deno.realPathSync(Deno.env.get("TSLOSETUP_BINARY") ?? BUILT);
  const report = await runGuest(`source ${FOLDER}record.sh`, {
    kernel,
    memory: "2G",
    env: { program, fs },
    prepare: makeFiles,
    collect: async (shared) => {
      await must("cp", "--sparse=always", `${shared}/log`, folder.file("log"));
      await must("cp", "-r", `${shared}/files`, folder.file("files"));
    },
  });
  await stepsOf(t, report);
}

/** Puts the device back to each of some of its flushes, and takes the disk out of it. */
async function* remains(folder: TempDirectory, most: number): AsyncGenerator<Remains> {
  using log = Deno.openSync(folder.file("log"));
  const path = folder.file("device");
  using device = Deno.openSync(path, { create: true, read: true, write: true });
  device.truncateSync(DEVICE_BYTES);
  const writes = loggedWrites(log);
  const marks: string[] = [];
  const barriers = writes.filter(({ isBarrier }) => isBarrier).length;
  const random = new Random(writes.length);
  let passed = 0;
  for (const [index, write] of writes.entries()) {
    replay(write, log, device);
    if (write.mark !== undefined) marks.push(write.mark);
    if (!write.isBarrier || !marks.includes("attached")) continue;
    const isChosen = Math.floor(passed * most / barriers) !==
      Math.floor((passed + 1) * most / barriers);
    passed++;
    if (!isChosen) continue;
    const isMade = marks.includes("made");
    const files = marks.filter((mark) => mark.startsWith("file-")).map((mark) => mark.slice(5));
    const name = `write ${index} of ${writes.length}`;
    yield { name, disk: await diskOn(folder, path), isMade, files };
    // Of what follows up to the next flush, any part may be there.
    const end = writes.findIndex(({ isBarrier }, at) => at > index && isBarrier);
    const some = writes.slice(index + 1, end).filter(() => random.below(2) === 0);
    if (some.length === 0) continue;
    const disk = await diskOn(folder, path, (copy) => {
      for (const later of some) replay(later, log, copy);
    });
    yield { name: `${name}, and some`, disk, isMade, files };
  }
  assert(marks.includes("detached"));
}

/**
 * The disk of the image on a device with an ext4, whose journal has to be replayed first.
 *
 * @param change what is done to a copy of the device before
 */
async function diskOn(
  folder: TempDirectory,
  device: string,
  change?: (copy: Deno.FsFile) => void,
): Promise<string> {
  const [copy, path, disk] = [folder.file("copy"), folder.file("image"), folder.file("disk")];
  await must("cp", "--sparse=always", device, copy);
  if (change !== undefined) {
    using file = Deno.openSync(copy, { write: true });
    change(file);
  }
  await recover(copy);
  await must("debugfs", "-R", `dump /disk.qcow2 ${path}`, copy);
  await leaksIn({ path });
  await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, disk);
  return disk;
}

/** Replays a journal, as mounting does. */
async function recover(path: string): Promise<void> {
  const { code, stderr } = await run("e2fsck", "-y", "-E", "journal_only", path);
  assert(code <= 1, stderr);
}

async function checkExt4({ disk, files, isMade }: Remains, folder: TempDirectory): Promise<void> {
  if (!isMade) return;
  await recover(disk);
  const { code, stdout } = await run("e2fsck", "-f", "-n", disk);
  assertEquals(code, 0, stdout);
  for (const file of files) {
    const found = folder.file("found");
    await must("debugfs", "-R", `dump /${file} ${found}`, disk);
    const wanted = Deno.readFileSync(folder.file(`files/${file}`));
    assert(sameBytes(Deno.readFileSync(found), wanted), `file ${file}`);
  }
}

await kernelTest("ext4 on a QCOW image survives power failures", async (t, kernel) => {
  using folder = new TempDirectory();
  await record(t, "ext4", { kernel, folder });
  let states = 0;
  for await (const remaining of remains(folder, STATES)) {
    states++;
    await t.step(remaining.name, () => checkExt4(remaining, folder));
  }
  assertGreater(states, Math.min(STATES / 2, 20));
});

await kernelTest("xfs on a QCOW image survives power failures", async (t, kernel) => {
  using folder = new TempDirectory();
  await record(t, "xfs", { kernel, folder });
  const report = await runGuest(`source ${FOLDER}recover.sh`, {
    kernel,
    memory: "2G",
    prepare: async (shared) => {
      await must("cp", "-r", folder.file("files"), `${shared}/files`);
      for await (const { name, disk, isMade, files } of remains(folder, MOUNTED_STATES)) {
        if (!isMade) continue;
        const state = `${shared}/states/${name.replaceAll(" ", "-")}`;
        Deno.mkdirSync(state, { recursive: true });
        await must("cp", "--sparse=always", disk, `${state}/disk`);
        Deno.writeTextFileSync(`${state}/files`, files.join(" "));
      }
    },
  });
  await stepsOf(t, report);
  assertGreater(report.checks.length, Math.min(MOUNTED_STATES, 20));
});
