/**
 * Snapshots of disks with a mounted file system, which is frozen meanwhile.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually, patiently } from "../../support/patience.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, ownCommand } from "./device.ts";

const TOOLS = ["qemu-img", "mkfs.ext4", "e2fsck", "debugfs", "mount", "umount"] as const;
const FILE_BYTES = 64 * 1024;

/** Writes file after file, until it is stopped; fails if one cannot be written. */
class Load {
  #goesOn = true;
  #files = 0;
  readonly #ended: Promise<void>;

  constructor(folder: string) {
    this.#ended = this.#run(folder);
  }

  async #run(folder: string): Promise<void> {
    for (; this.#goesOn; this.#files++) {
      const path = `${folder}/${this.#files % 100}`;
      await Deno.writeFile(path, new Uint8Array(FILE_BYTES).fill(this.#files));
    }
  }

  /** Waits until so many more files have been written. */
  async more(files: number): Promise<void> {
    const wanted = this.#files + files;
    await eventually(() => this.#files >= wanted, "files to be written");
  }

  async stop(): Promise<void> {
    this.#goesOn = false;
    await this.#ended;
  }
}

/** The disk of a snapshot, as a file. Of a daemon that ends, some thread may still have the image open. */
async function diskOf(folder: TempDirectory, image: string, snapshot: string): Promise<string> {
  const raw = folder.file(`${snapshot}.raw`);
  const which = ["-l", `snapshot.name=${snapshot}`];
  await must("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", ...which, image, raw);
  return raw;
}

async function mustBeClean(disk: string): Promise<void> {
  const { code, stdout, stderr } = await run("e2fsck", "-f", "-n", disk);
  assertEquals(code, 0, stdout + stderr);
  // A journal to be replayed would be told of.
  assertEquals(/recover|journal/.test(stdout + stderr), false, stdout + stderr);
}

async function createImage(folder: TempDirectory): Promise<[image: string, mnt: string]> {
  const [image, mnt] = [folder.file("image.qcow2"), folder.file("mnt")];
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "128M");
  Deno.mkdirSync(mnt);
  return [image, mnt];
}

deviceTest("a snapshot has a mounted file system as after unmounting it", TOOLS, async () => {
  using folder = new TempDirectory();
  const [image, mnt] = await createImage(folder);
  await using device = await Device.attach(image, "-t", "QCOW");
  await must("mkfs.ext4", "-q", device.path);
  await device.mount(mnt);
  Deno.writeTextFileSync(`${mnt}/which`, "first");
  const load = new Load(mnt);
  await load.more(20);
  await device.program.must("--snapshot-create", "first", device.path);
  await load.more(20);
  Deno.writeTextFileSync(`${mnt}/which`, "second");
  assertEquals(await device.program.must("--snapshot-create", "second", device.path), "");
  await load.more(20);
  await load.stop();
  await device.unmount(mnt);
  await must("e2fsck", "-f", "-n", device.path);
  await device.detach();
  await device.gone();
  for (const name of ["first", "second"]) {
    const disk = await diskOf(folder, image, name);
    await mustBeClean(disk);
    assertEquals(await must("debugfs", "-R", "cat which", disk), name);
  }
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
});

deviceTest("a file system is frozen once, however often it is mounted", TOOLS, async () => {
  using folder = new TempDirectory();
  const [image, mnt] = await createImage(folder);
  const other = folder.file("other");
  Deno.mkdirSync(other);
  await using device = await Device.attach(image, "-t", "QCOW");
  await must("mkfs.ext4", "-q", device.path);
  await device.mount(mnt);
  await device.mount(other);
  // Over the first one: what is frozen has to be below it.
  await must("mount", "-t", "tmpfs", "none", mnt);
  try {
    const { code, stderr } = await device.program.run("--snapshot-create", "x", device.path);
    assertEquals(`${code} ${stderr}`, "0 ");
    Deno.writeTextFileSync(`${other}/file`, "goes on");
    Deno.writeTextFileSync(`${mnt}/file`, "goes on");
  } finally {
    await must("umount", mnt);
  }
  await device.unmount(other);
  await device.unmount(mnt);
  await device.detach();
  await device.gone();
  await mustBeClean(await diskOf(folder, image, "x"));
});

deviceTest(
  "a snapshot has what a program has written to the device it keeps open",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [image] = await createImage(folder);
    await using device = await Device.attach(image, "-t", "QCOW");
    const written = crypto.getRandomValues(new Uint8Array(FILE_BYTES));
    // While it is open, and without a sync, it is in the kernel's memory only.
    const open = Deno.openSync(device.path, { read: true, write: true });
    assertEquals(open.writeSync(written), FILE_BYTES);
    await device.program.must("--snapshot-create", "x", device.path);
    open.close();
    await device.detach();
    await device.gone();
    const disk = Deno.openSync(await diskOf(folder, image, "x"));
    const found = new Uint8Array(FILE_BYTES);
    disk.readSync(found);
    disk.close();
    assertEquals(found, written);
  },
);

deviceTest("whatever ends who had a file system frozen, it is thawed", TOOLS, async () => {
  using folder = new TempDirectory();
  const [image, mnt] = await createImage(folder);
  await using device = await Device.attach(image, "-t", "QCOW");
  await must("mkfs.ext4", "-q", device.path);
  await device.mount(mnt);
  // The program that freezes, as a command has it, that is killed.
  const script = 'exec 3<&0 4>&1 5<"$1" 0</dev/null 1>&2; shift; exec "$@" --internal-freezer 1';
  const freezer = new Deno.Command("sh", {
    args: ["-c", script, "sh", mnt, ...ownCommand()],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const told = freezer.stdout.getReader();
  assertStringIncludes(
    new TextDecoder().decode((await told.read()).value),
    '{"outcomes":["frozen"]}',
  );
  const [program = "", ...words] = patiently("sh", "-c", `echo written >"$1/file"`, "sh", mnt);
  const writer = new Deno.Command(program, { args: words }).spawn();
  const hasWaited = await Promise.race([writer.status.then(() => false), isBlocked(writer.pid)]);
  assert(hasWaited, "it was not frozen");
  await freezer.stdin.close();
  assertEquals((await freezer.status).code, 0);
  await told.cancel();
  assertEquals((await writer.status).code, 0);
  assertEquals(Deno.readTextFileSync(`${mnt}/file`), "written\n");
  await device.unmount(mnt);
  await device.detach();
  await device.gone();
});

/** Waits until a child of a process waits in the kernel for a file system. */
async function isBlocked(pid: number): Promise<boolean> {
  await eventually(() => childrenOf(pid).some(isWaiting), "a writer to wait");
  return true;
}

function childrenOf(pid: number): string[] {
  return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
}

function isWaiting(pid: string): boolean {
  return pid !== "" && /\) D /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
}
