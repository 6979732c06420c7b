/**
 * A mounted device whose daemon is killed again and again while fio writes to the file system, and reads
 * back what it has written.
 *
 * @module
 */
import { Device, makeSparse, MIB } from "../../device/fuse/device.ts";
import { eventually } from "../../support/patience.ts";
import { must, run, type TempDirectory } from "../../support/tools.ts";

/** Enough for XFS. */
const DISK_BYTES = 320 * MIB;
/** A fifth daemon that is killed within a minute is given up. */
const MOST_KILLS = 4;
const KILLS_MS = 62_000;

interface Commands {
  readonly make: readonly [string, ...string[]];
  readonly check: readonly [string, ...string[]];
}

const FILE_SYSTEMS = {
  ext4: { make: ["mkfs.ext4", "-q", "-F"], check: ["e2fsck", "-fn"] },
  xfs: { make: ["mkfs.xfs", "-q", "-f"], check: ["xfs_repair", "-n"] },
} as const satisfies Readonly<Record<string, Commands>>;

export type FileSystem = keyof typeof FILE_SYSTEMS;

/** How the disk is kept; in a layer, it is a raw image otherwise. */
export const KEEPINGS = ["RAW", "QCOW", "layer"] as const;
export type Keeping = (typeof KEEPINGS)[number];

export class Scene {
  readonly name: string;
  readonly #device: Device;
  readonly #mountPoint: string;
  readonly #files: SceneFiles;
  readonly #fileSystem: FileSystem;
  readonly #kills: number[] = [];
  #writing: Promise<void> | undefined;
  readonly #faults: string[] = [];
  #isOver = false;

  /** How often its daemon was killed. */
  get kills(): number {
    return this.#device.revivals;
  }

  private constructor(files: SceneFiles, parts: SceneParts) {
    this.name = parts.name;
    this.#files = files;
    this.#device = parts.device;
    this.#mountPoint = parts.mountPoint;
    this.#fileSystem = parts.fileSystem;
  }

  /** Attaches the device. */
  static async make(
    folder: TempDirectory,
    { keeping, fileSystem, number }: {
      readonly keeping: Keeping;
      readonly fileSystem: FileSystem;
      readonly number: number;
    },
  ): Promise<Scene> {
    const name = `${number}-${fileSystem}-${keeping}`;
    const raw = makeSparse(folder.file(`${name}.raw`), DISK_BYTES);
    const { make }: Commands = FILE_SYSTEMS[fileSystem];
    await must(...make, raw);
    const files: SceneFiles = { keeping, raw, qcow: folder.file(`${name}.qcow2`) };
    const device = await Device.attach(...await wordsFor(files));
    return new Scene(files, { name, device, mountPoint: folder.file(`${name}.mnt`), fileSystem });
  }

  /**
   * Mounts it, and begins to write. Processes that are started later may have a mount namespace of their own,
   * with a copy of the mount.
   */
  async begin(): Promise<void> {
    await this.#device.mount(this.#mountPoint);
    this.#writing = this.#write();
  }

  /** Writes one file after the other, and verifies each. */
  async #write(): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const direct = round % 2;
      const { code, stdout, stderr } = await run(
        ...["fio", "--name=x", `--filename=${this.#mountPoint}/file${round % 4}`] as const,
        ...["--size=8M", "--rw=randwrite", "--bsrange=4k-64k", `--direct=${direct}`],
        ...["--ioengine=libaio", "--iodepth=8", "--rate_iops=60", `--fsync=${direct * 16}`],
        ...[
          "--verify=crc32c",
          "--verify_fatal=1",
          "--do_verify=1",
          "--verify_state_save=0",
          "--invalidate=1",
        ],
      );
      if (code !== 0) this.#faults.push(`fio: ${stderr}${stdout}`);
      if (code !== 0) return;
    }
  }

  /** Whether another kill would be taken for an image that kills its daemons. */
  get mayBeKilled(): boolean {
    const now = performance.now();
    return this.#kills.filter((time) => now - time < KILLS_MS).length < MOST_KILLS;
  }

  /** Kills the daemon, and waits for the next one. */
  async kill(): Promise<void> {
    const { revivals } = this.#device;
    if (revivals !== this.#kills.length) {
      throw new Error(`${this.name}: ${revivals} revivals after ${this.#kills.length} kills`);
    }
    this.#kills.push(performance.now());
    await this.#device.killAndRevive();
  }

  /** Ends it, and looks at what is left; returns what is wrong with that. */
  async end(kernelLog: string): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#writing;
    const { name, path } = this.#device;
    const ofDevice = new RegExp(`(${name}\\b.*error|error.*\\b${name}\\b)`, "i");
    this.#faults.push(...kernelLog.split("\n").filter((line) => ofDevice.test(line)));
    await this.#device.unmount(this.#mountPoint);
    const { code, stderr } = await this.#device.program.run("-d", path);
    if (code !== 0) this.#faults.push(stderr);
    await eventually(() => !this.#device.isAttached, `${path} to go`);
    const { raw, qcow, keeping } = this.#files;
    if (keeping !== "RAW") {
      await this.#check("qemu-img", "check", qcow);
      await must("qemu-img", "convert", "-O", "raw", qcow, `${raw}.whole`);
    }
    const disk = keeping === "RAW" ? raw : `${raw}.whole`;
    const { check }: Commands = FILE_SYSTEMS[this.#fileSystem];
    await this.#check(...check, disk);
    return this.#faults;
  }

  async #check(program: string, ...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await run(program, ...args);
    if (code !== 0) this.#faults.push(`${program}: ${stdout}${stderr}`);
  }
}

interface SceneParts {
  readonly name: string;
  readonly device: Device;
  readonly mountPoint: string;
  readonly fileSystem: FileSystem;
}

interface SceneFiles {
  readonly keeping: Keeping;
  readonly raw: string;
  readonly qcow: string;
}

/** What attaches them. */
async function wordsFor({ keeping, raw, qcow }: SceneFiles): Promise<[string, ...string[]]> {
  switch (keeping) {
    case "RAW":
      return [raw, "-t", "RAW"];
    case "QCOW":
      await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow);
      return [qcow, "-t", "QCOW"];
    case "layer":
      return [raw, "-t", "RAW", `--overlay=${qcow}`];
  }
}
