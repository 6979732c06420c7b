/**
 * What became of the last writes to a device that is detached.
 *
 * @module
 */
import type { DaemonEnd } from "../daemon/daemon_end.ts";
import type { AttachState } from "../daemon/state.ts";
import { CommandError } from "../sys/command_error.ts";

/**
 * Looks at how a daemon has ended.
 *
 * @throws {CommandError} if it is not sure that what was written is on disk
 */
export function checkOutcome({ device, pid, readOnly }: AttachState, { outcome }: DaemonEnd): void {
  if (outcome === "lost") {
    const what = "the last writes may not have reached the disk";
    throw new CommandError(`${device}: detached, but ${what}`);
  }
  if (outcome === "none" && !readOnly) {
    const what = `its daemon (pid ${pid}) ended before it had written everything back`;
    throw new CommandError(`${device}: detached, but ${what}`);
  }
}
