/**
 * The parts of setting up a device that all transports share.
 *
 * @module
 */
import type { Job, Ready } from "../daemon/job.ts";
import type { Daemons } from "../daemon/launch.ts";
import type { Launched, Launching } from "../daemon/launched.ts";
import { ownSurroundings } from "../daemon/processes.ts";
import type { AttachedFile, AttachState, StateStore } from "../daemon/state.ts";
import type { ImageView } from "../disk/request.ts";
import { DEFAULT_CLEAN_INTERVAL_SECONDS } from "../image/cache_sizes.ts";
import { RAW } from "../image/formats.ts";
import { MAX_UNASKED_THREADS } from "../loop/threads.ts";
import type { ImageRequest } from "../disk/request.ts";
import { fileStatus } from "../sys/files.ts";
import { folderOf, realPath } from "../sys/paths.ts";
import type { AttachCommand } from "./attach_command.ts";
import { overlayRequest } from "./overlay_request.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { DEFAULT_WRITE_POLICY } from "../loop/write_policy.ts";
import { absolutePath } from "./device_names.ts";
import { ProgressLine } from "./progress_line.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** How the block layer is to treat a device: it is memory and sockets, not a disk with a head. */
export const QUEUE = { scheduler: "none", readAheadKb: 1024 } as const;
/** How long an abandoned daemon may take to end; it has nothing to write back. */
export const ABANDON_MS = 5000;

/** A device that is ready for use. */
export interface Attached {
  /** What `--show` prints. */
  readonly shown: string;
  /** What detaches it. */
  readonly device: string;
  /** False if it was there before. */
  readonly isNew: boolean;
  /** For standard error, after the device is shown. */
  readonly warnings: readonly string[];
}

/** What a transport needs to attach an image. */
export interface AttachRequest {
  readonly command: AttachCommand;
  /** Absolute path of the image. */
  readonly imagePath: string;
  readonly states: StateStore;
  /** What starts the daemon. */
  readonly daemons: Daemons;
  /** What unlocks the image, as far as that is known. */
  readonly passphrase?: Uint8Array;
  /** Whether it has been tried before: then all warnings have been given. */
  readonly isRepeated?: boolean;
}

/** The image is encrypted, and nobody has said yet what unlocks it. */
export class PassphraseNeededError extends CommandError {
  readonly needsPassphrase = true;
}

/** The daemon's part of a request. */
export function jobFor(
  { command, imagePath, passphrase }: AttachRequest,
  transport: Pick<Job, "transport" | "threads" | "socket">,
): Job {
  return {
    imagePath,
    image: imageRequest(command),
    cleanIntervalSeconds: command.cleanIntervalSeconds ?? DEFAULT_CLEAN_INTERVAL_SECONDS,
    writePolicy: { ...DEFAULT_WRITE_POLICY, ...command.writePolicy },
    sectorBytes: transport.transport === "socket" ? 1 : command.sectorBytes,
    startAllThreads: command.threads !== undefined,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...transport,
  };
}

/** How many threads are to serve at most. */
export function threadCount({ threads }: AttachCommand): number {
  return threads ?? Math.min(MAX_UNASKED_THREADS, navigator.hardwareConcurrency);
}

/** What the words of the command ask of the image. */
export function imageRequest(command: AttachCommand): ImageRequest {
  const { backingFormat, force, noBacking, overlay, parents, snapshot } = command;
  return {
    format: command.format ?? RAW.name,
    readOnly: command.readOnly,
    offsetBytes: command.offsetBytes,
    sizeLimitBytes: command.sizeLimitBytes,
    namesFolder: folderOf(absolutePath(command.file)),
    noBacking,
    allowBacking: command.allowBacking.map(realPath),
    force,
    temporaryFolder: temporaryFolder(),
    ...(backingFormat === undefined ? {} : { backingFormat }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(parents.length === 0 ? {} : { parents: parents.map(realPath) }),
    ...(overlay === undefined ? {} : { overlay: overlayRequest(overlay) }),
    ...command.cacheSizes,
  };
}

/**
 * What the daemon answers, however long that takes: on a terminal, the user sees how far it is.
 *
 * @throws {Error} if it ends without an answer
 */
export function patientAnswer(launching: Launching, request: AttachRequest): Launched {
  using progress = new ProgressLine("decompressed");
  return launching.answer({
    onSlow: slowNotice(request),
    onProgress: (part) => progress.show(part),
  });
}

/** What to do when opening the image takes some seconds: deriving a key is meant to take long. */
function slowNotice({ command, passphrase, isRepeated }: AttachRequest): () => void {
  if (isRepeated) return () => {};
  const why = passphrase === undefined ? "opening the image" : "trying the passphrase";
  return () => complain(`${command.file}: ${why} takes its time ...`);
}

/**
 * The daemon's good answer; its warnings go to standard error.
 *
 * @throws {CommandError} with its reason, if it has refused
 */
export function readyAnswer(launched: Launched, request: AttachRequest): Ready {
  const { answer } = launched;
  if (!answer.ok) {
    const Refused = answer.needsPassphrase ? PassphraseNeededError : CommandError;
    throw new Refused(answer.message);
  }
  if (answer.sizeBytes === 0) throw new CommandError("the virtual disk is empty");
  for (const warning of answer.warnings) warn(request, warning);
  return answer;
}

/**
 * What there is to be said of a device whose daemon may have to wait for itself when memory is short: to
 * get some, the kernel then has what was written to the device written back. Nothing ever is to one that
 * is read-only: only what lies on top of it may be written to, and have to read it for that.
 */
export function reclaimWarnings(
  { mayWaitForItself }: Launched,
  { readOnly }: Ready,
): string[] {
  if (!mayWaitForItself || readOnly) return [];
  const what = "without CAP_SYS_RESOURCE, the device may hang for good when memory is short";
  const remedy = "docker run --cap-add SYS_RESOURCE gives that to a container";
  return [`warning: ${what}; ${remedy}`];
}

export function warn(
  { command, isRepeated }: Pick<AttachRequest, "command" | "isRepeated">,
  text: string,
): void {
  if (!isRepeated) complain(`${command.file}: warning: ${text}`);
}

/** The state file's content for a device that has been set up. */
export function stateFor(
  { command, imagePath }: AttachRequest,
  { launched, ready }: { readonly launched: Launched; readonly ready: Ready },
  device: Pick<
    AttachState,
    | "device"
    | "transport"
    | "nbdIndex"
    | "sizeBytes"
    | "diskSequence"
    | "fuseConnection"
    | "socketInode"
  >,
): AttachState {
  return {
    version: 1,
    ...launched.process,
    ...ownSurroundings(),
    ...device,
    ...attachedFile(imagePath),
    format: ready.format,
    readOnly: ready.readOnly,
    offsetBytes: command.offsetBytes,
    sizeLimitBytes: command.sizeLimitBytes,
    view: viewOf(command),
    ...overlayState(command),
    partScan: command.partScan,
    ...(command.tabName === undefined ? {} : { tabName: command.tabName }),
  };
}

/** What a state says of the layer that is written to. */
function overlayState({ overlay }: AttachCommand): Pick<AttachState, "hasOverlay" | "overlay"> {
  if (overlay === undefined) return {};
  if (overlay.kept !== "for later") return { hasOverlay: true };
  return { hasOverlay: true, overlay: attachedFile(absolutePath(overlay.path)) };
}

function attachedFile(path: string): AttachedFile {
  const { deviceMajor, deviceMinor, inode } = fileStatus(path);
  return { image: path, imageDevice: [deviceMajor, deviceMinor], imageInode: inode };
}

/** Which of the disks that an image can show is asked for. */
export function viewOf(
  { snapshot, noBacking, backingFormat, parents, force }: AttachCommand,
): ImageView {
  return {
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(noBacking ? { noBacking } : {}),
    ...(backingFormat === undefined ? {} : { backingFormat }),
    ...(parents.length === 0 ? {} : { parents: parents.map(realPath) }),
    ...(force ? { force } : {}),
  };
}

/**
 * The kernel's size of a device. What does not fill a sector is not accessible, as in losetup.
 *
 * @throws {RangeError} if the disk is smaller than a sector
 */
export function wholeSectors(
  request: Pick<AttachRequest, "command" | "isRepeated">,
  ready: Pick<Ready, "sizeBytes">,
  sectorBytes: number,
): number {
  const rest = ready.sizeBytes % sectorBytes;
  if (rest === ready.sizeBytes) {
    throw new RangeError(`the virtual disk is smaller than a sector of ${sectorBytes} bytes`);
  }
  if (rest > 0) {
    const what = `the disk does not end with a whole ${sectorBytes}-byte sector`;
    warn(request, `${what}; its last ${rest} bytes are ignored`);
  }
  return ready.sizeBytes - rest;
}
