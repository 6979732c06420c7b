/**
 * The helper of umount(8) for what mount.tslosetup has mounted: returns when the image is closed, if that
 * was its last mount. Who unmounts what the image lies on next, or reads the image, would be too early
 * otherwise.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { checkOutcome } from "../device/outcome.ts";
import { blockDeviceName } from "../kernel/block_devices.ts";
import { mountsOver } from "../kernel/users.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { fileExists } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import { mountPoint } from "./mount_conditions.ts";
import { runVisibly } from "./run_visibly.ts";
import { UsageError } from "./words/usage_error.ts";

const UMOUNT_PROGRAMS = ["/usr/bin/umount", "/bin/umount"];
/** umount(8) has the same codes as mount(8). */
const WRONG_WORDS = 1;
const FAILED = 32;
/** How long writing back may take, before whoever unmounts is not kept any longer. */
const LEAVE_MS = 60_000;

/**
 * @param args `FOLDER [-flnrv] [-N NAMESPACE] [-t TYPE]`
 * @returns an exit code of umount(8); a failure too if what was written may be lost
 */
export function umount(args: readonly string[], runtimeDirectory: string | undefined): number {
  try {
    const [folder] = args;
    if (folder === undefined) throw new UsageError("umount.tslosetup takes a folder");
    using end = endOfMounted(folder, runtimeDirectory);
    const code = runVisibly(UMOUNT_PROGRAMS.find(fileExists) ?? "/bin/umount", [
      "-i",
      ...withoutType(args.slice(1)),
      folder,
    ]);
    if (code === 0) end?.hear();
    return code;
  } catch (error) {
    complain(error instanceof CommandError ? error.message : reasonOf(error));
    return error instanceof UsageError ? WRONG_WORDS : FAILED;
  }
}

interface MountedEnd extends Disposable {
  /** Waits for the end, unless somebody still has the device mounted. */
  hear(): void;
}

/** The daemon of what is mounted at a folder, if it has one that knows that it goes. */
function endOfMounted(
  folder: string,
  runtimeDirectory: string | undefined,
): MountedEnd | undefined {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const path = mountPoint(folder);
  const isHere = (disk: string): boolean =>
    mountsOver(disk).some(({ mountPoint }) => mountPoint === path);
  const state = states.all().find(({ device, isLeaving }) => {
    const disk = blockDeviceName(device);
    return isLeaving === true && disk !== undefined && isHere(disk);
  });
  if (state === undefined) return undefined;
  const end = new DaemonEnd(state);
  return {
    hear: () => {
      const disk = blockDeviceName(state.device);
      const isMounted = disk !== undefined && mountsOver(disk).length > 0;
      if (!isMounted && end.wait(LEAVE_MS)) checkOutcome(state, end);
    },
    [Symbol.dispose]: () => end[Symbol.dispose](),
  };
}

/** What type it is, the other program finds out. */
function withoutType(args: readonly string[]): string[] {
  return args.filter((word, place) => word !== "-t" && args[place - 1] !== "-t");
}
