/**
 * Files on real loop devices, on this machine's own kernel: whatever the loop driver has attached to
 * files of one folder is detached at the end of the scope, and nothing else.
 *
 * @module
 */
import { detachLoop } from "../../../src/kernel/loop.ts";
import { SystemError } from "../../../src/sys/errno.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { exists } from "../../support/program.ts";
import { isLeftBehind, TempDirectory } from "../../support/tools.ts";

// Loaded for good, which within a test would count as a leak.
openLibc();

/** The kernel's view of one loop device. */
export interface AttachedLoop {
  readonly path: string;
  /** Without the folder, if it lies there. */
  readonly backing: string;
  readonly offset: string;
  readonly sizeLimit: string;
  readonly autoClear: string;
  readonly partScan: string;
  readonly directIo: string;
  readonly readOnly: string;
  readonly sectors: string;
  readonly sectorSize: string;
}

const ATTRIBUTES = {
  offset: "loop/offset",
  sizeLimit: "loop/sizelimit",
  autoClear: "loop/autoclear",
  partScan: "loop/partscan",
  directIo: "loop/dio",
  readOnly: "ro",
  sectors: "size",
  sectorSize: "queue/logical_block_size",
} as const;

/** A folder for backing files. */
export class LoopFolder implements Disposable {
  readonly #folder = new TempDirectory();
  readonly path = Deno.realPathSync(this.#folder.path);
  /** Devices that belong to it whatever they are attached to, as does whatever is attached to them. */
  readonly #further = new Set<string>();

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** A file of zeros. */
  sparse(name: string, sizeBytes: number): string {
    const path = this.file(name);
    Deno.writeFileSync(path, new Uint8Array());
    Deno.truncateSync(path, sizeBytes);
    return path;
  }

  /**
   * Counts a device as one of the folder's, whatever it is attached to; what tests that were killed
   * have left on it is detached.
   */
  adopt(device: string): void {
    const backing = attribute(device.slice("/dev/".length), "loop/backing_file");
    if (backing !== undefined && isLeftBehind(backing)) detachIfAttached(device);
    this.#further.add(device);
  }

  /** What is attached to files of the folder, by device. */
  attached(): AttachedLoop[] {
    return [...Deno.readDirSync("/sys/block")]
      .map(({ name }) => name)
      .filter((name) => this.#isOurs(name))
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
      .map((name) => this.#describe(name));
  }

  #isOurs(name: string): boolean {
    const backing = attribute(name, "loop/backing_file");
    if (backing === undefined) return false;
    return this.#inFolder(backing) !== undefined || this.#further.has(backing) ||
      this.#further.has(`/dev/${name}`);
  }

  /**
   * What follows the folder in a path, if it is there. If the file was opened in another mount namespace,
   * the kernel names it as the system around a chroot does.
   */
  #inFolder(path: string): string | undefined {
    return path.split(`${this.path}/`)[1];
  }

  #describe(name: string): AttachedLoop {
    const values = Object.entries(ATTRIBUTES).map(([key, path]) => [key, attribute(name, path)]);
    const backing = attribute(name, "loop/backing_file") ?? "";
    return {
      path: `/dev/${name}`,
      backing: this.#inFolder(backing) ?? backing,
      ...Object.fromEntries(values),
    };
  }

  /** Detaches all of it. */
  clear(): void {
    // A device on top of another holds it: from the highest number down, and once more.
    for (let round = 0; round < 3 && this.attached().length > 0; round++) {
      for (const { path } of this.attached().reverse()) detachIfAttached(path);
    }
  }

  [Symbol.dispose](): void {
    this.clear();
    this.#folder[Symbol.dispose]();
  }
}

/** Without starting a program: tables of tests do it some thousand times. */
export function detachIfAttached(device: string): void {
  try {
    detachLoop(device);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

function attribute(name: string, path: string): string | undefined {
  const file = `/sys/block/${name}/${path}`;
  if (!exists(file)) return undefined;
  try {
    return Deno.readTextFileSync(file).trim();
  } catch {
    return undefined;
  }
}
