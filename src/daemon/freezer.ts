/**
 * Whether a process is frozen by its cgroup, as `docker pause` and `systemctl freeze` have it:
 * cgroups(7), and the kernel's admin-guide/cgroup-v2 and cgroup-v1/freezer-subsystem.
 *
 * @module
 */
import { type Mount, parseMounts } from "../kernel/proc_tables.ts";
import { readTextIfAny } from "../sys/files.ts";

/** Where a process is in one hierarchy of cgroups. */
export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly path: string;
}

/** Both files tell whether a group or one above it is frozen. */
const FREEZER_FILES = {
  1: { name: "freezer.state", frozen: /^(FROZEN|FREEZING)$/ },
  2: { name: "cgroup.events", frozen: /^frozen 1$/m },
} as const;

/** Whether the process with that id here is frozen, or about to be. */
export function isFrozen(pid: number): boolean {
  const places = freezablePlaces(readTextIfAny(`/proc/${pid}/cgroup`) ?? "");
  if (places.length === 0) return false;
  const mounts = parseMounts(readTextIfAny("/proc/self/mountinfo") ?? "");
  return places.some((place) => {
    const { name, frozen } = FREEZER_FILES[place.version];
    return foldersOf(place, mounts).some((folder) =>
      frozen.test(readTextIfAny(`${folder}/${name}`) ?? "")
    );
  });
}

/**
 * Where a process could be frozen, by /proc/PID/cgroup, whose lines are `ID:CONTROLLERS:PATH`. Nothing
 * freezes the group at the root of a hierarchy.
 */
export function freezablePlaces(text: string): CgroupPlace[] {
  return text.split("\n").flatMap((line): CgroupPlace[] => {
    const [id, controllers = "", ...rest] = line.split(":");
    const path = rest.join(":");
    if (path === "" || path === "/") return [];
    if (id === "0" && controllers === "") return [{ version: 2, path }];
    return controllers.split(",").includes("freezer") ? [{ version: 1, path }] : [];
  });
}

/** The folders of a cgroup, as far as its hierarchy is mounted here. */
export function foldersOf({ version, path }: CgroupPlace, mounts: readonly Mount[]): string[] {
  return mounts.filter((mount) => isHierarchy(mount, version)).flatMap(({ root, mountPoint }) => {
    const base = root === "/" ? "" : root;
    return path === base || path.startsWith(`${base}/`)
      ? [`${mountPoint}${path.slice(base.length)}`]
      : [];
  });
}

function isHierarchy({ fileSystem, options }: Mount, version: CgroupPlace["version"]): boolean {
  if (version === 2) return fileSystem === "cgroup2";
  return fileSystem === "cgroup" && options.includes("freezer");
}
