/**
 * Freezing processes with their cgroup, in both versions of cgroups.
 *
 * @module
 */
import { parseMounts } from "../../src/kernel/proc_tables.ts";
import { eventually } from "./patience.ts";
import { lackOfRights } from "./tools.ts";

const VERSIONS = {
  1: {
    isHierarchy: (fileSystem: string, options: readonly string[]) =>
      fileSystem === "cgroup" && options.includes("freezer"),
    file: "freezer.state",
    words: { freeze: "FROZEN", thaw: "THAWED" },
    isFrozen: (folder: string) => read(`${folder}/freezer.state`) === "FROZEN\n",
  },
  2: {
    isHierarchy: (fileSystem: string) => fileSystem === "cgroup2",
    file: "cgroup.freeze",
    words: { freeze: "1", thaw: "0" },
    isFrozen: (folder: string) => read(`${folder}/cgroup.events`).includes("frozen 1"),
  },
} as const;

export type CgroupVersion = keyof typeof VERSIONS;

export const CGROUP_VERSIONS: readonly CgroupVersion[] = [1, 2];

function read(path: string): string {
  return Deno.readTextFileSync(path);
}

/** Where the hierarchy is mounted that freezes, if it is. */
function hierarchy(version: CgroupVersion): string | undefined {
  return parseMounts(read("/proc/self/mountinfo")).find(({ fileSystem, options }) =>
    VERSIONS[version].isHierarchy(fileSystem, options)
  )?.mountPoint;
}

/** Why nothing can be frozen here, if so. */
export function missingForFreezer(version: CgroupVersion): string | undefined {
  const lack = lackOfRights();
  if (lack !== undefined) return lack;
  return hierarchy(version) === undefined ? `no freezer of cgroups, version ${version}` : undefined;
}

/** A process that is frozen, with all of its threads, until it is thawed or the scope ends. */
export class Frozen implements AsyncDisposable {
  private constructor(
    readonly version: CgroupVersion,
    readonly root: string,
    readonly folder: string,
    readonly pid: number,
  ) {}

  static async freeze(pid: number, version: CgroupVersion): Promise<Frozen> {
    const root = hierarchy(version) ?? "";
    // What is frozen is a group above that of the process.
    const folder = `${root}/tslosetup-test-${crypto.randomUUID()}`;
    Deno.mkdirSync(`${folder}/inner`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/inner/cgroup.procs`, String(pid));
    const { file, words, isFrozen } = VERSIONS[version];
    Deno.writeTextFileSync(`${folder}/${file}`, words.freeze);
    await eventually(() => isFrozen(folder), "the process to be frozen");
    return new Frozen(version, root, folder, pid);
  }

  thaw(): void {
    const { file, words } = VERSIONS[this.version];
    Deno.writeTextFileSync(`${this.folder}/${file}`, words.thaw);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    try {
      Deno.writeTextFileSync(`${this.root}/cgroup.procs`, String(this.pid));
    } catch {
      // It has ended.
    }
    await eventually(
      () => isRemoved(`${this.folder}/inner`) && isRemoved(this.folder),
      "no cgroup",
    );
  }
}

function isRemoved(folder: string): boolean {
  try {
    Deno.removeSync(folder);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
