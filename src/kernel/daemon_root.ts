/**
 * Making the root folder that a daemon lives in: sys/own_root.ts says what for.
 *
 * @module
 */
import { checked, SystemError } from "../sys/errno.ts";
import { type Fd, fileStatus, O_CREAT, O_WRONLY, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";
import { OWN_ROOT_MARK } from "../sys/own_root.ts";
import { mountDetached } from "./detached_mount.ts";

const FOLDERS = ["proc", "proc/self", "dev"];
/** Where the runtime reads who it is. */
const PROGRAM_LINK = "proc/self/exe";

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const AT_FDCWD = -100;
/** By number: glibc exports a function for it only since 2.33. */
const SYS_MKNODAT = { x86_64: 259, aarch64: 33 } as const;

interface Node {
  readonly type: typeof S_IFCHR | typeof S_IFBLK;
  readonly major: number;
  readonly minor: number;
}

/** Documentation/admin-guide/devices.txt: the memory devices. */
const MEMORY = { type: S_IFCHR, major: 1 } as const;
const NODES: Readonly<Record<string, Node>> = {
  "dev/null": { ...MEMORY, minor: 3 },
  "dev/urandom": { ...MEMORY, minor: 9 },
  "dev/kmsg": { ...MEMORY, minor: 11 },
};

/** A root folder that nobody lives in yet. */
export class DaemonRoot implements Disposable {
  readonly #mount: Fd;

  private constructor(mount: Fd) {
    this.#mount = mount;
  }

  /**
   * @param program its path
   * @returns undefined where that is not possible: without CAP_SYS_ADMIN or CAP_MKNOD, mostly
   */
  static make(program: string): DaemonRoot | undefined {
    let root: DaemonRoot | undefined;
    try {
      const parameters = { mode: "755" };
      root = new DaemonRoot(mountDetached({ type: "ramfs", parameters, devices: true }));
      root.#furnish(program);
      return root;
    } catch (error) {
      root?.close();
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  }

  #furnish(program: string): void {
    for (const folder of FOLDERS) {
      checked(libc().mkdir(cString(this.#path(folder)), 0o755), "mkdir", folder);
    }
    const link = cString(this.#path(PROGRAM_LINK));
    checked(libc().symlink(cString(program), link), "symlink", PROGRAM_LINK);
    for (const [name, node] of Object.entries(NODES)) this.#makeNode(name, node);
    openFile(this.#path(OWN_ROOT_MARK), O_WRONLY | O_CREAT).close();
  }

  get fd(): number {
    return this.#mount.number;
  }

  /**
   * Gives the daemon a block device to open, by the path it has here.
   *
   * @throws {SystemError} as stat(2) and mknod(2)
   */
  addDevice(path: string): void {
    const { specialMajor: major, specialMinor: minor } = fileStatus(path);
    this.#makeNode(path.slice(1), { type: S_IFBLK, major, minor });
  }

  #makeNode(name: string, { type, major, minor }: Node): void {
    const path = cString(this.#path(name));
    const number = SYS_MKNODAT[Deno.build.arch];
    const device = (major << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
    const result = libc().syscall(number, AT_FDCWD, addressOf(path), type | 0o600, device, 0, 0);
    if (result < 0n) throw new SystemError("mknod", lastErrno(), name);
  }

  #path(name: string): string {
    return `/proc/self/fd/${this.#mount.number}/${name}`;
  }

  close(): void {
    this.#mount.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
