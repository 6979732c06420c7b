/**
 * Making the root folder that a daemon lives in: sys/own_root.ts says what for.
 *
 * @module
 */
import { checked, SystemError } from "../sys/errno.ts";
import {
  type Fd,
  fileStatus,
  O_CREAT,
  O_WRONLY,
  openFile,
  readTextIfAny,
  writeText,
} from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { cString } from "../sys/memory.ts";
import { OWN_ROOT_MARK } from "../sys/own_root.ts";
import { mountDetached } from "./detached_mount.ts";
import { makeNode, type Node } from "./make_node.ts";

const FOLDERS = ["proc", "proc/self", "proc/sys", "proc/sys/vm", "dev"];
/** Where the runtime reads who it is. */
const PROGRAM_LINK = "proc/self/exe";
/**
 * glibc's malloc looks into it once, at some time when it gives memory back. Where it is missing, that
 * leaves ENOENT in errno, be it between another call and the look at what it has left there: clients
 * were hung up on, for they seemed to have no socket.
 */
const MEMORY_POLICY = "proc/sys/vm/overcommit_memory";

/** Documentation/admin-guide/devices.txt: the memory devices. */
const MEMORY_MAJOR = 1;
/** Minor numbers of those that the runtime and the log open. */
const MEMORY_MINORS = { "dev/null": 3, "dev/urandom": 9, "dev/kmsg": 11 } as const;

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
    for (const [name, minor] of Object.entries(MEMORY_MINORS)) {
      this.#makeNode({ path: name, kind: "character", number: { major: MEMORY_MAJOR, minor } });
    }
    this.#makeFile(MEMORY_POLICY, readTextIfAny(`/${MEMORY_POLICY}`) ?? "0");
    this.#makeFile(OWN_ROOT_MARK, "");
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
    this.#makeNode({ path: path.slice(1), kind: "block", number: { major, minor } });
  }

  #makeFile(path: string, text: string): void {
    using file = openFile(this.#path(path), O_WRONLY | O_CREAT, 0o444);
    writeText(file.number, text, path);
  }

  /** @param node its path within this root */
  #makeNode(node: Node): void {
    const errno = makeNode({ ...node, path: this.#path(node.path) });
    if (errno !== 0) throw new SystemError("mknod", errno, node.path);
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
