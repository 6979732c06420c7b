/**
 * Making an initramfs in a guest's root folder, with the hooks of the checkout and the program under
 * test.
 *
 * @module
 */
import { must, TempDirectory } from "../../support/tools.ts";
import type { Kernel } from "./debian.ts";

const CHECKOUT = new URL("../../../", import.meta.url).pathname;

/** The compiled program: what TSLOSETUP_BINARY names, or what `deno task compile` has made. */
export function programUnderTest(): string {
  return Deno.env.get("TSLOSETUP_BINARY") ?? `${CHECKOUT}dist/tslosetup`;
}

/** How an initramfs is made. */
export interface InitramfsRecipe {
  /** The guest's root folder; it stays as it is. */
  readonly root: string;
  readonly kernel: Kernel;
  /** The compiled program. */
  readonly program: string;
  /** Shell commands that are run in the folder: they install the hooks, found in /checkout. */
  readonly install: string;
  /** A shell command that makes the file /initramfs; `$VERSION` is the kernel's. */
  readonly make: string;
}

/**
 * In a copy of the folder that is seen by this script alone: an overlay below which it stays. No
 * variable is called ROOT: mkinitramfs has that be the machine's root.
 */
const SCRIPT = `set -e
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t tmpfs tmpfs "$WORK/upper"; mkdir "$WORK/upper/u" "$WORK/upper/w"
mount -t overlay -o "lowerdir=$SYSTEM,upperdir=$WORK/upper/u,workdir=$WORK/upper/w" overlay "$WORK/root"
cd "$WORK/root"
mkdir -p checkout usr/lib/modules var/cache/tslosetup
for pair in "$CHECKOUT:checkout" "$MODULES:usr/lib/modules" "$CACHE:var/cache/tslosetup" \\
  /dev:dev /proc:proc /sys:sys; do
  mount --rbind "\${pair%%:*}" "\${pair#*:}"
done
cp "\${KERNEL%/*}"/* boot/
cp -p "$PROGRAM" usr/local/bin/tslosetup
chroot . /bin/sh -ec "$INSTALL"
chroot . /bin/sh -ec "$MAKE"
cp initramfs "$WORK/initramfs"`;

/**
 * Makes an initramfs.
 *
 * @param file where it goes
 * @returns what was said meanwhile
 */
export async function makeInitramfs(file: string, recipe: InitramfsRecipe): Promise<string> {
  using work = new TempDirectory();
  const { root, kernel, program, install, make } = recipe;
  const cache = `${root}.packed`;
  Deno.mkdirSync(cache, { recursive: true });
  const variables = {
    ...{ WORK: work.path, SYSTEM: root, CHECKOUT, CACHE: cache, PROGRAM: program },
    ...{ KERNEL: kernel.image, MODULES: kernel.modules, VERSION: kernel.version },
    ...{ INSTALL: install, MAKE: make, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const said = await must("env", ...assignments, "unshare", "--mount", "sh", "-c", SCRIPT);
  Deno.copyFileSync(`${work.path}/initramfs`, file);
  return said;
}
