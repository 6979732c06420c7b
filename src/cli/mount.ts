/**
 * The helper of mount(8) for images: attaches one, mounts what is on it, and leaves the device to go with
 * its last close, so that umount(8) alone takes it down.
 *
 * The helper holds the device open, which has been told to go, until the file system does: however it
 * fails, or is killed, nothing stays attached.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { stateDirectory, StateStore } from "../daemon/state.ts";
import type { Attached } from "../device/attach_common.ts";
import type { AttachCommand } from "../device/attach_command.ts";
import { detachLazily } from "../device/let_go.ts";
import { FORMAT_NAMES } from "../image/formats.ts";
import { blockDeviceName } from "../kernel/block_devices.ts";
import { openNode } from "../kernel/device_nodes.ts";
import { detachLoop } from "../kernel/loop.ts";
import { type Mount, parseMounts } from "../kernel/proc_tables.ts";
import { mountsOver } from "../kernel/users.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { fileExists, O_RDONLY, readTextIfAny } from "../sys/files.ts";
import { baseName, realPath } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";
import { attachDevice } from "./attach.ts";
import { detach } from "./detach.ts";
import { loopedImage } from "./loop_of_mount.ts";
import { headStart } from "./head_start.ts";
import { isMissing, isOneOfAll, mountPoint, refuseOrdinaryUser } from "./mount_conditions.ts";
import { partitionHint, partitionNode } from "./mount_partition.ts";
import { runVisibly } from "./run_visibly.ts";
import { withFileOfFolder } from "./image_folders.ts";
import { allDevices } from "./listing/devices.ts";
import { wantedFile } from "./listing/wanted_file.ts";
import { type MountCommand, mountCommand } from "./words/mount_command.ts";
import { UsageError } from "./words/usage_error.ts";

/** mount(8), "EXIT STATUS" */
const EXIT = { ok: 0, usage: 1, failed: 32 } as const;
const MOUNT_PROGRAMS = ["/usr/bin/mount", "/bin/mount"];
/** Has umount(8) call /sbin/umount.tslosetup, if there is one. */
const UMOUNT_HELPER = "helper=tslosetup";
/** How long a device that is not mounted after all may take to go. */
const LEAVE_MS = 10_000;

/** @returns an exit code of mount(8) */
export async function mount(
  args: readonly string[],
  runtimeDirectory: string | undefined,
): Promise<number> {
  try {
    const context = { formats: FORMAT_NAMES, imageBelow: loopedImage };
    return await perform(mountCommand(args, context), runtimeDirectory);
  } catch (error) {
    complain(error instanceof CommandError ? error.message : reasonOf(error));
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

async function perform(
  command: MountCommand,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const folder = mountPoint(command.folder);
  if (command.isFake) return EXIT.ok;
  if (command.isRemount) return remount(command, folder);
  if (command.mayFail && isMissing(command.attach.file)) return EXIT.ok;
  refuseOrdinaryUser();
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const attach = withFileOfFolder(command.attach);
  const there = devicesOf(attach, states);
  if (there.some(({ path }) => isMountedOn(path, folder))) return mountedAlready(command, folder);
  const mayShare = there.length > 0 && attach.overlay === undefined;
  const leaving = there.filter((device) => device.cell("AUTOCLEAR") === "1").map(({ path }) =>
    path
  );
  using daemons = headStart(attach);
  const attached = await attachDevice({ ...attach, noOverlap: mayShare }, { states, daemons });
  const goes = attached.isNew || leaving.includes(attached.device);
  return mountAttached(command, { attached, states, goes, runtimeDirectory });
}

/** `mount -a` mounts what is not mounted yet, but cannot tell that by itself. */
function mountedAlready({ attach, verbose }: MountCommand, folder: string): number {
  const isNews = !isOneOfAll();
  if (isNews || verbose) complain(`${attach.file} is mounted on ${folder} already`);
  return isNews ? EXIT.failed : EXIT.ok;
}

function devicesOf(
  { file, passedOver }: AttachCommand,
  states: StateStore,
): ReturnType<typeof allDevices> {
  const wanted = wantedFile(file);
  return allDevices(states.all())
    .filter((device) => device.isOf(wanted) && device.path !== passedOver);
}

function isMountedOn(device: string, folder: string): boolean {
  const disk = blockDeviceName(device);
  return disk !== undefined && mountsOver(disk).some(({ mountPoint }) => mountPoint === folder);
}

interface Means {
  readonly attached: Attached;
  readonly states: StateStore;
  /** Whether the device is to go with its last close. */
  readonly goes: boolean;
  readonly runtimeDirectory: string | undefined;
}

function mountAttached(command: MountCommand, means: Means): number {
  const { attached: { device, isNew }, states, goes, runtimeDirectory } = means;
  const state = states.find((candidate) => candidate.device === device);
  // One that others have mounted stays for these.
  using end = state && goes && isNew ? new DaemonEnd(state) : undefined;
  let code: number = EXIT.failed;
  try {
    using _held = goes ? holdLeaving(means) : undefined;
    code = runMount(command, partitionNode(device, command.partition));
    if (code === EXIT.failed && command.partition === undefined) tellPartitions(device);
  } finally {
    if (code !== EXIT.ok && end?.wait(LEAVE_MS) === false) {
      detach([device], runtimeDirectory);
    }
  }
  return code;
}

/** What mount(8) has said is of a disk as if it were a file system. */
function tellPartitions(device: string): void {
  const hint = partitionHint(device);
  if (hint !== undefined) complain(hint);
}

/** The device, open, and told to go as soon as it is not. */
function holdLeaving({ attached: { device, isNew }, runtimeDirectory }: Means): Disposable {
  try {
    const held = openNode(device, O_RDONLY);
    // One that has no daemon is a loop device alone.
    if (detachLazily(device, runtimeDirectory) !== 0) detachLoop(device);
    return held;
  } catch (error) {
    if (isNew) detach([device], runtimeDirectory);
    throw error;
  }
}

function runMount(
  { options, flags, fileSystem, folder }: MountCommand,
  source: string,
): number {
  const program = mountProgram();
  const type = fileSystem === undefined ? [] : ["-t", fileSystem];
  const all = [options, ...(keepsHelpers(program) ? [UMOUNT_HELPER] : [])].filter((text) =>
    text !== ""
  );
  const list = all.length === 0 ? [] : ["-o", all.join(",")];
  return runVisibly(program, [...flags, ...type, ...list, "--", source, folder]);
}

/** Without any helper: what is asked for is about what is mounted there. */
function remount({ options, flags }: MountCommand, folder: string): number {
  const mounted = mountAt(folder);
  if (mounted === undefined) throw new CommandError(`${folder}: not mounted`);
  const { fileSystem, source } = mounted;
  const words = ["-i", "-t", fileSystem, "-o", options, "--", source, folder];
  return runVisibly(mountProgram(), [...flags, ...words]);
}

function mountAt(folder: string): Mount | undefined {
  return parseMounts(readTextIfAny("/proc/self/mountinfo") ?? "")
    .findLast(({ mountPoint }) => mountPoint === folder);
}

function mountProgram(): string {
  return MOUNT_PROGRAMS.find(fileExists) ?? "/bin/mount";
}

/** busybox's would take that for an option of the file system. */
function keepsHelpers(program: string): boolean {
  return baseName(realPath(program)) === "mount";
}
