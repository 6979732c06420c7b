/**
 * The tables of mounts, swaps and block devices in /proc, as text.
 *
 * @module
 */
import type { KnownDevice } from "./disk_source.ts";

/** One mount. */
export interface Mount {
  /** Which one it is, in its namespace. */
  readonly id: string;
  /** Device number of the files in it, as `major:minor`. */
  readonly number: string;
  /** The folder of the file system that is seen at the mount point. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** What was mounted: a device node, or a word such as `proc`. */
  readonly source: string;
  /** Of the file system, not of the mount. */
  readonly options: readonly string[];
}

/** The lines of /proc/self/mountinfo (proc(5)); malformed ones are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [fields, superBlock] = line.split(" - ", 2).map((half) => half.split(" "));
    const [id, , number, root, mountPoint] = fields ?? [];
    const [fileSystem, source, options = ""] = superBlock ?? [];
    if (!id || !number || !root || !mountPoint || !fileSystem || source === undefined) return [];
    return [{
      id,
      number,
      root: unescaped(root),
      mountPoint: unescaped(mountPoint),
      fileSystem,
      source: unescaped(source),
      options: options.split(","),
    }];
  });
}

/** The files and devices in /proc/swaps (proc(5)). */
export function parseSwaps(text: string): string[] {
  const [, ...lines] = text.split("\n");
  return lines.filter((line) => line.startsWith("/")).map((line) =>
    unescaped(line.split(/\s/, 1)[0] ?? "")
  );
}

/** The devices in /proc/partitions: `major minor KiB name` (show_partition, block/genhd.c). */
export function parsePartitions(text: string): KnownDevice[] {
  return text.split("\n").flatMap((line) => {
    const [, major, minor, name = ""] = /^ *(\d+) +(\d+) +\d+ (\S+)$/.exec(line) ?? [];
    return name === "" ? [] : [{ name, number: { major: Number(major), minor: Number(minor) } }];
  });
}

/** Names of the drivers in /proc/misc, each behind its minor number (drivers/char/misc.c). */
export function parseMisc(text: string): string[] {
  return text.split("\n").flatMap((line) => /^ *\d+ (\S+)$/.exec(line)?.[1] ?? []);
}

/** The tables of mounts and swaps write blanks and backslashes as three octal digits (mangle_path, fs/seq_file.c). */
export function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}
