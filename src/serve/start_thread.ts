/**
 * Starting threads, from sources as well as from a bundle.
 *
 * @module
 */
import { requireThreadRoom } from "../sys/thread_room.ts";

/** The modules that threads begin with, below the sources' folder. */
export type ThreadModule =
  | "serve/worker"
  | "serve/decode_worker"
  | "serve/spool_worker"
  | "daemon/guard_thread"
  | "device/lazy_detach_thread";

/**
 * Starts a thread. In a bundle, all files lie in one folder, but for these modules, and their names end
 * in .js.
 *
 * @throws {Error} where there is a want of threads, descriptors or memory
 */
export function startThread(module: ThreadModule): Worker {
  requireThreadRoom();
  const isBundle = import.meta.url.endsWith(".js");
  const path = isBundle ? `./${module}.js` : `../${module}.ts`;
  return new Worker(new URL(path, import.meta.url), { type: "module" });
}
