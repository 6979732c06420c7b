/**
 * The command that sets a device up, and the words it is asked for with:
 *
 *     tslosetup DEVICE FILE                  losetup's
 *     tslosetup -f FILE                      losetup's
 *     tslosetup -f FORMAT [DEVICE] FILE      ours
 *     tslosetup --socket PATH FILE           ours
 *     tslosetup --socket PATH -f FORMAT FILE ours
 *
 * @module
 */
import type { AttachCommand } from "../../device/attach_command.ts";
import type { Transport } from "../../device/transports.ts";
import type { WritePolicy } from "../../loop/write_policy.ts";
import { AUTO_FORMAT, RAW } from "../../image/formats.ts";
import { mutuallyExclusive } from "./exclusive.ts";
import { wantedOverlay } from "./overlay.ts";
import { agreeing, type Settings } from "./settings.ts";
import { UsageError } from "./usage_error.ts";
import { findFormat, type FormatNames, unknownFormat } from "./values.ts";

export interface AttachOperands {
  readonly file: string;
  readonly device?: string;
}

/** @throws {UsageError} if the options do not fit each other */
export function attachCommand(settings: Settings, operands: AttachOperands): AttachCommand {
  const { seen, socketPath } = settings;
  return {
    kind: "attach",
    file: operands.file,
    device: operands.device,
    find: operands.device === undefined && socketPath === undefined,
    show: seen.has("show"),
    readOnly: seen.has("read-only"),
    noHeadings: seen.has("noheadings"),
    verbose: seen.has("verbose"),
    partScan: seen.has("partscan"),
    offsetBytes: settings.offsetBytes,
    sizeLimitBytes: settings.sizeLimitBytes,
    sectorBytes: settings.sectorBytes === 0 ? undefined : settings.sectorBytes,
    directIo: settings.openDirect ? "on" : settings.directIo,
    loopReference: settings.loopReference,
    noOverlap: seen.has("nooverlap"),
    passedOver: undefined,
    format: settings.format,
    backingFormat: settings.backingFormat,
    snapshot: settings.snapshot,
    overlay: wantedOverlay(settings),
    force: seen.has("force"),
    cacheSizes: settings.cacheSizes,
    writePolicy: writePolicy(settings),
    cleanIntervalSeconds: settings.cleanIntervalSeconds,
    revive: !seen.has("no-revive"),
    noBacking: seen.has("no-backing"),
    allowBacking: settings.allowBacking,
    parents: settings.parents,
    keyFile: settings.keyFile,
    threads: settings.threads,
    transport: askedTransport(settings),
    kernelDecode: settings.kernelDecode === "on",
    socketPath,
    foreground: stays(settings),
    pidFile: settings.pidFile,
    tabName: undefined,
  };
}

/** `-f` with operands: a format's name may come first. Of a socket it tells the format only. */
export function findCommand(settings: Settings, formats: FormatNames): AttachCommand {
  const named = formatBehindFind(settings, formats);
  const hasSocket = settings.socketPath !== undefined;
  if (hasSocket && named === undefined) throw mutuallyExclusive(["--socket", "--find"]);
  const words = settings.operands.filter((token) => token !== named?.token)
    .map(({ word }) => word);
  if (named === undefined) {
    refuseStrayWord(settings, words, formats);
    return attachCommand(settings, { file: onlyFile(words) });
  }
  const format = agreeing("file-fmt-type", settings.format, named.format);
  const [device, ...rest] = words;
  return hasSocket || device === undefined || rest.length === 0
    ? attachCommand({ ...settings, format }, { file: onlyFile(words) })
    : attachCommand({ ...settings, format }, { device, file: onlyFile(rest) });
}

/** A word before the image that belongs to an option, but does not stand where that has it. */
function refuseStrayWord(
  { format, overlay }: Settings,
  [word = "", ...rest]: readonly string[],
  formats: FormatNames,
): void {
  if (rest.length !== 1) return;
  const right = format === undefined && formats.canonical(word) !== undefined
    ? `a format stands right behind -f: -f ${word}`
    : overlay === ""
    ? `an overlay's name stands behind a =: --overlay=${word}`
    : undefined;
  if (right !== undefined) throw new UsageError(`unexpected arguments; ${right}`);
}

/** The one operand there is. */
export function onlyFile(operands: readonly string[]): string {
  const [file, ...excess] = operands;
  if (file === undefined) throw new UsageError("no file specified");
  refuseOperands(excess);
  return file;
}

/** @throws {UsageError} if there are any */
export function refuseOperands(operands: readonly string[]): void {
  if (operands.length > 0) throw new UsageError("unexpected arguments");
}

interface NamedFormat {
  readonly token: Settings["operands"][number];
  readonly format: string;
}

/** What hardly anybody writes for a file where a format can be: worth saying that it is unknown. */
const FORMAT_LIKE = /^[A-Za-z][A-Za-z0-9]+$/;

/** The format in `-f FORMAT ...`: the word right behind `-f`, unless it is the only operand. */
function formatBehindFind(settings: Settings, formats: FormatNames): NamedFormat | undefined {
  const { operands, wordsAfterFind } = settings;
  const token = operands.find(({ wordIndex }) => wordsAfterFind.has(wordIndex));
  if (token === undefined || operands.length === 1) return undefined;
  const format = findFormat(token.word, formats);
  if (format !== undefined) return { token, format };
  if (FORMAT_LIKE.test(token.word)) throw unknownFormat(token.word, formats);
  return undefined;
}

/** As in qemu: what is not to be unmapped by who discards is not unmapped by who writes zeros, either. */
function writePolicy({ writePolicy: given }: Settings): Partial<WritePolicy> {
  if (given.detectZeroes === "unmap" && given.discard === "ignore") {
    throw mutuallyExclusive(["--detect-zeroes unmap", "--discard ignore"]);
  }
  return given;
}

function askedTransport({ transport = "auto", socketPath, format }: Settings): Transport {
  if (socketPath === undefined && transport === "socket") {
    throw new UsageError("--transport socket requires --socket <path>");
  }
  if (transport === "loop" && isContainer(format)) {
    throw new UsageError(
      `transport 'loop' is for RAW images; for ${format} there are view, nbd and fuse`,
    );
  }
  if (socketPath !== undefined && transport !== "auto" && transport !== "socket") {
    throw mutuallyExclusive([`--transport ${transport}`, "--socket"]);
  }
  return socketPath === undefined ? transport : "socket";
}

/** @throws {UsageError} if there is to be a process id of nobody */
function stays({ seen, pidFile }: Settings): boolean {
  const isForeground = seen.has("foreground");
  if (pidFile !== undefined && !isForeground) {
    throw new UsageError("--pid-file requires --foreground");
  }
  return isForeground;
}

/** Whether a format is known to be other than RAW. */
function isContainer(format: string | undefined): boolean {
  return format !== undefined && format !== AUTO_FORMAT && format !== RAW.name;
}
