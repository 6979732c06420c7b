/**
 * VirtualBox's tools as an oracle, without its kernel module: a script unpacks them in the cache and runs
 * them in a root of their own, where it sees nothing but that root.
 *
 * @module
 */
import { lackOfNamespaces, must, run, testIfPossible } from "./tools.ts";

/** Shared with other projects, so not in this one; TSLOSETUP_VIRTUALBOX names it elsewhere. */
const SCRIPT = Deno.env.get("TSLOSETUP_VIRTUALBOX") ??
  new URL("../../../shared/tools/virtualbox.sh", import.meta.url).pathname;

/** Where the script unpacks it. */
const CACHE = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
const PROGRAM = `${CACHE}/virtualbox-oracle/root/usr/lib/virtualbox/VBoxManage`;

/** Why VirtualBox cannot be run here, if so: it needs mounts of its own. */
function lackOfVirtualBox(): string | undefined {
  if (!isThere(SCRIPT)) return `no VirtualBox: ${SCRIPT} is not there`;
  if (!isThere(PROGRAM)) return `VirtualBox is not unpacked: bash ${SCRIPT} root does that`;
  return lackOfNamespaces();
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Registers a test that needs VirtualBox; it gets a folder that VirtualBox sees, too. */
export function virtualBoxTest(
  name: string,
  body: (box: VirtualBox, t: Deno.TestContext) => Promise<void>,
): void {
  testIfPossible({
    name,
    obstacle: lackOfVirtualBox(),
    fn: async (t) => {
      await using box = await VirtualBox.start();
      await body(box, t);
    },
  });
}

/** A folder in VirtualBox's root, and what it does with the images there. */
export class VirtualBox implements AsyncDisposable {
  readonly #root: string;
  readonly #folder: string;
  /** Paths of disks that it has opened, those that lie on others last. */
  readonly #known: string[] = [];

  private constructor(root: string) {
    this.#root = root;
    this.#folder = Deno.makeTempDirSync({ dir: `${root}/tmp`, prefix: "disks-" });
  }

  static async start(): Promise<VirtualBox> {
    return new VirtualBox((await must("bash", SCRIPT, "root")).trim());
  }

  /** Path of a file in the folder, as all programs but VirtualBox's know it. */
  file(name: string): string {
    return `${this.#folder}/${name}`;
  }

  /** Makes a disk that lies on another one. */
  async child(path: string, parent: string, format: string): Promise<void> {
    const words = ["--diffparent", this.#inside(parent), "--format", format];
    await this.#manage("createmedium", "disk", "--filename", this.#inside(path), ...words);
    if (!this.#known.includes(parent)) this.#known.push(parent);
    this.#known.push(path);
  }

  /** What VirtualBox reads of a disk, through all that lies below it, as a raw file. */
  async rawCopy(path: string): Promise<string> {
    const raw = `${path}.raw`;
    const words = [this.#inside(path), this.#inside(raw), "--format", "RAW"];
    await this.#manage("clonemedium", "disk", ...words);
    this.#known.unshift(raw);
    return raw;
  }

  /** Has it make a base image in one of its formats, from a raw file or another one's image. */
  async convert(from: string, fromFormat: string, to: string, ...how: string[]): Promise<void> {
    const source = ["--srcfilename", from, "--srcformat", fromFormat];
    await must("bash", SCRIPT, "convert", ...source, "--dstfilename", to, ...how);
  }

  async #manage(...words: string[]): Promise<void> {
    await must("bash", SCRIPT, "manage", ...words);
  }

  #inside(path: string): string {
    return path.slice(this.#root.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is still known would be in the way of other disks with the same identifiers.
    for (const path of this.#known.reverse()) {
      await run("bash", SCRIPT, "manage", "closemedium", "disk", this.#inside(path));
    }
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
