/**
 * The process that has a device detached as soon as nobody uses it, for a command that cannot wait.
 *
 * @module
 */
import { openNull } from "../sys/spawn.ts";
import { LAZY_DETACH_ARGUMENT } from "./hidden_arguments.ts";
import { spawnSelf } from "./own_program.ts";
import type { AttachState } from "./state.ts";

/** Starts the helper that has a device detached as soon as nobody uses it. */
export function startLazyDetach({ device }: Pick<AttachState, "device">): void {
  using nothing = openNull();
  const fds = [nothing.number, nothing.number, nothing.number];
  spawnSelf([LAZY_DETACH_ARGUMENT, device], fds);
}
