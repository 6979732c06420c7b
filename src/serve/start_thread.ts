/**
 * Starting threads.
 *
 * @module
 */
import { moduleUrl } from "../sys/module_url.ts";
import { requireThreadRoom } from "../sys/thread_room.ts";

/** The modules that threads begin with, below the sources' folder. */
export type ThreadModule =
  | "serve/worker"
  | "serve/decode_worker"
  | "serve/spool_worker"
  | "daemon/guard_thread"
  | "device/lazy_detach_thread";

/** @throws {Error} where there is a want of threads, descriptors or memory */
export function startThread(module: ThreadModule): Worker {
  requireThreadRoom();
  return new Worker(moduleUrl(module), { type: "module" });
}
