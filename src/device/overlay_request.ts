/**
 * Where the overlay of a device is kept.
 *
 * @module
 */
import type { LastingOverlay, TemporaryOverlay } from "../disk/request.ts";
import { readTextFile } from "../sys/files.ts";
import type { WantedOverlay } from "./attach_command.ts";
import { absolutePath } from "./device_names.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** Of the whole memory, as of a tmpfs. */
const MEMORY_SHARE = 1 / 2;

/**
 * What the daemon has to know of it.
 *
 * @throws {SystemError} if half of the memory is to be its limit, and nobody says how much that is
 */
export function overlayRequest(wanted: WantedOverlay): TemporaryOverlay | LastingOverlay {
  if (wanted.kept === "for later") return { path: absolutePath(wanted.path) };
  const { kept, limitBytes } = wanted;
  if (kept === "in memory") {
    return { limitBytes: limitBytes ?? Math.floor(memoryBytes() * MEMORY_SHARE) };
  }
  return { folder: temporaryFolder(), ...(limitBytes === undefined ? {} : { limitBytes }) };
}

/** proc_meminfo(5) */
function memoryBytes(): number {
  const kilobytes = /^MemTotal:\s*(\d+) kB$/m.exec(readTextFile("/proc/meminfo"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}
