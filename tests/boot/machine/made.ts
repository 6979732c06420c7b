/**
 * What guests boot with: made once in a run of the tests for each kind of initramfs.
 *
 * @module
 */
import { TempDirectory } from "../../support/tools.ts";
import { debianKernel, debianRoot, type Kernel } from "./debian.ts";
import { DRACUT, MAKE_BY_DRACUT } from "./dracut.ts";
import { makeInitramfs, programUnderTest } from "./initramfs.ts";
import { INITRAMFS_TOOLS, MAKE_BY_INITRAMFS_TOOLS } from "./initramfs_tools.ts";

/** What makes an initramfs. */
const MAKERS = {
  dracut: { packages: DRACUT, how: MAKE_BY_DRACUT },
  "initramfs-tools": { packages: INITRAMFS_TOOLS, how: MAKE_BY_INITRAMFS_TOOLS },
};
export type Maker = keyof typeof MAKERS;

/** Of this run of the tests. */
export interface Made {
  readonly kernel: Kernel;
  /** The folder of the guest's root. */
  readonly root: string;
  readonly initramfs: string;
}

const all = new Map<Maker, Promise<Made>>();
const FOLDER = new TempDirectory();
globalThis.addEventListener("unload", () => FOLDER[Symbol.dispose]());

/** Kernel, root and initramfs, the latter made by `maker`. */
export function made(maker: Maker): Promise<Made> {
  const one = all.get(maker) ?? make(maker);
  all.set(maker, one);
  return one;
}

async function make(maker: Maker): Promise<Made> {
  const { packages, how } = MAKERS[maker];
  const [kernel, root] = [await debianKernel(), await debianRoot(...packages)];
  const initramfs = FOLDER.file(maker);
  await makeInitramfs(initramfs, { root, kernel, program: programUnderTest(), ...how });
  return { kernel, root, initramfs };
}
