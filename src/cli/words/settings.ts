/**
 * What the words of a command line say, before it is decided what they ask for.
 *
 * Values are read and exclusive options noticed as they come, so that of several faults the leftmost
 * is reported, as in losetup.
 *
 * @module
 */
import type { Transport } from "../../device/transports.ts";
import { checkExclusive } from "./exclusive.ts";
import { getopt, missingArgument, type OperandToken, type OptionToken } from "./getopt.ts";
import type { NewSize } from "../../disk/new_size.ts";
import type { WantedSectors } from "../../disk/sector_size.ts";
import type { CacheSizes } from "../../image/cache_sizes.ts";
import type { Repair } from "../../image/checking.ts";
import type { SnapshotChange } from "../../image/snapshot_change.ts";
import {
  CACHE_MODES,
  DETECT_ZEROES_MODES,
  DISCARD_MODES,
  type WritePolicy,
} from "../../loop/write_policy.ts";
import { parseCacheSize, parseCleanInterval, parseOverlaySize } from "./cache_values.ts";
import { type OptionName, OPTIONS } from "./option_table.ts";
import { parseNewSize } from "./new_size.ts";
import { parseSizeBytes } from "./sizes.ts";
import { UsageError } from "./usage_error.ts";
import {
  type FormatNames,
  parseFormat,
  parseSectorSize,
  parseSwitch,
  parseThreads,
  parseTransport,
  parseWord,
  REPAIRS,
} from "./values.ts";

export interface Settings {
  /** Every option that occurred. */
  readonly seen: ReadonlySet<OptionName>;
  readonly operands: readonly OperandToken[];
  /** Indexes of the words right behind a `-f`: one of them may be a format's name. */
  readonly wordsAfterFind: ReadonlySet<number>;
  /** 0 unless given. */
  readonly offsetBytes: number;
  /** 0, which is no limit, unless given. */
  readonly sizeLimitBytes: number;
  /** 0, which is the default, unless given; any other number is not checked yet. */
  readonly sectorBytes: WantedSectors;
  /** What the last `--direct-io` said: what counts for a device that is set up. */
  readonly directIo: "on" | "off" | undefined;
  /** Whether one of them said `on`: what counts for setting up, where losetup takes nothing back. */
  readonly openDirect: boolean;
  readonly loopReference: string | undefined;
  /** Canonical name or `auto`. */
  readonly format: string | undefined;
  /** Canonical name or `auto`. */
  readonly backingFormat: string | undefined;
  /** Identifier or name of an internal snapshot. */
  readonly snapshot: string | undefined;
  /** The argument of `--overlay`: empty if there was none, undefined without the option. */
  readonly overlay: string | undefined;
  /** What it may take; undefined unless given. */
  readonly overlaySizeBytes: number | undefined;
  readonly repair: Exclude<Repair, "none"> | undefined;
  readonly cacheSizes: Partial<CacheSizes>;
  readonly writePolicy: Partial<WritePolicy>;
  /** Undefined unless given. */
  readonly cleanIntervalSeconds: number | undefined;
  /** Paths as given. */
  readonly allowBacking: readonly string[];
  readonly parents: readonly string[];
  /** Path as given; `-` is standard input. */
  readonly keyFile: string | undefined;
  readonly transport: Transport | undefined;
  readonly kernelDecode: "on" | "off";
  readonly threads: number | undefined;
  readonly socketPath: string | undefined;
  readonly pidFile: string | undefined;
  /** The argument of `--tab`. */
  readonly tab: string | undefined;
  /** The argument of `--resize`. */
  readonly newSize: NewSize | undefined;
  /** What one of `--snapshot-create` and its like asks for. */
  readonly snapshotChange: SnapshotChange | undefined;
  /** The file of `-j`. */
  readonly associatedFile: string | undefined;
  /** The columns of `-O`, not looked at yet. */
  readonly columnList: string | undefined;
  /** Devices attached to a `-d` or `-c`. */
  readonly actionDevices: readonly string[];
  /** How the last `-d` or `-c` without a device of its own was spelled. */
  readonly bareAction: string | undefined;
}

/** `--help` and its like end the reading. */
export type EarlyEnd = "help" | "man" | "version";

type Draft = { -readonly [K in keyof Settings]: DraftOf<Settings[K]> };
type DraftOf<T> = T extends ReadonlySet<infer M> ? Set<M>
  : T extends readonly (infer M)[] ? M[]
  : T;

/**
 * Reads the arguments up to their end, or up to the first {@link EarlyEnd}.
 *
 * @throws {UsageError} for the leftmost fault
 */
export function readSettings(args: readonly string[], formats: FormatNames): Settings | EarlyEnd {
  const draft = emptyDraft();
  for (const token of getopt(args, OPTIONS)) {
    if (token.kind === "operand") {
      draft.operands.push(token);
      continue;
    }
    const name = token.option.long[0];
    checkExclusive(name, draft.seen);
    if (name === "help" || name === "man" || name === "version") return name;
    takeOption(draft, token, formats);
    draft.seen.add(name);
  }
  requireActionDevice(draft);
  return draft;
}

function emptyDraft(): Draft {
  return {
    seen: new Set(),
    operands: [],
    wordsAfterFind: new Set(),
    offsetBytes: 0,
    sizeLimitBytes: 0,
    sectorBytes: 0,
    directIo: undefined,
    openDirect: false,
    loopReference: undefined,
    format: undefined,
    backingFormat: undefined,
    snapshot: undefined,
    overlay: undefined,
    overlaySizeBytes: undefined,
    repair: undefined,
    cacheSizes: {},
    writePolicy: {},
    cleanIntervalSeconds: undefined,
    allowBacking: [],
    parents: [],
    keyFile: undefined,
    transport: undefined,
    kernelDecode: "off",
    threads: undefined,
    socketPath: undefined,
    pidFile: undefined,
    tab: undefined,
    newSize: undefined,
    snapshotChange: undefined,
    associatedFile: undefined,
    columnList: undefined,
    actionDevices: [],
    bareAction: undefined,
  };
}

/** Enters what one option says; mere flags say all in being {@link Settings.seen}. */
function takeOption(
  draft: Draft,
  token: OptionToken<(typeof OPTIONS)[number]>,
  formats: FormatNames,
): void {
  const name = token.option.long[0];
  if (name === "find" && token.endsWord) draft.wordsAfterFind.add(token.wordIndex + 1);
  else if (name === "direct-io") takeDirectIo(draft, parseSwitch(token.value, "argument error"));
  else if (name === "overlay") takeOverlay(draft, token.value);
  else if (name === "detach" || name === "set-capacity") takeAction(draft, token);
  else if (token.value !== undefined) takeValue(draft, { name, value: token.value, formats });
}

function takeDirectIo(draft: Draft, wanted: "on" | "off"): void {
  draft.directIo = wanted;
  draft.openDirect ||= wanted === "on";
}

function takeOverlay(draft: Draft, value: string | undefined): void {
  if (value !== undefined) requirePath("an overlay", value);
  draft.overlay = agreeing("overlay", draft.overlay, value ?? "");
}

/** Made absolute, no path at all would be that of the working folder. */
function requirePath(what: string, value: string): void {
  if (value === "") throw new UsageError(`the path of ${what} is empty`);
}

function takeAction(draft: Draft, { value, spelling }: OptionToken<unknown>): void {
  if (value === undefined) draft.bareAction = spelling;
  else draft.actionDevices.push(value);
}

interface GivenValue {
  readonly name: OptionName;
  readonly value: string;
  readonly formats: FormatNames;
}

/** The beginnings of the errors for sizes, and for `--direct-io`, are losetup's. */
function takeValue(draft: Draft, { name, value, formats }: GivenValue): void {
  switch (name) {
    case "offset":
      draft.offsetBytes = parseSizeBytes(value, "failed to parse offset");
      break;
    case "sizelimit":
      draft.sizeLimitBytes = parseSizeBytes(value, "failed to parse size");
      break;
    case "sector-size":
      draft.sectorBytes = parseSectorSize(value);
      break;
    case "loop-ref":
      draft.loopReference = value;
      break;
    case "resize":
      draft.newSize = parseNewSize(value);
      break;
    case "snapshot-create":
      draft.snapshotChange = { action: "create", name: value };
      break;
    case "snapshot-apply":
      draft.snapshotChange = { action: "apply", name: value };
      break;
    case "snapshot-delete":
      draft.snapshotChange = { action: "delete", name: value };
      break;
    case "associated":
      draft.associatedFile = value;
      break;
    case "output":
      draft.columnList = value;
      break;
    case "file-fmt-type":
      draft.format = agreeing(name, draft.format, parseFormat(value, formats));
      break;
    case "backing-fmt":
      draft.backingFormat = agreeing(name, draft.backingFormat, parseFormat(value, formats));
      break;
    case "snapshot":
      draft.snapshot = agreeing(name, draft.snapshot, value);
      break;
    case "overlay-size":
      draft.overlaySizeBytes = parseOverlaySize(value);
      break;
    case "repair":
      draft.repair = agreeing(name, draft.repair, parseWord(name, value, REPAIRS));
      break;
    case "cache-size":
      draft.cacheSizes = { ...draft.cacheSizes, metadataCacheBytes: parseCacheSize(name, value) };
      break;
    case "data-cache-size":
      draft.cacheSizes = { ...draft.cacheSizes, dataCacheBytes: parseCacheSize(name, value) };
      break;
    case "cache":
      takeWritePolicy(draft, { cache: parseWord(name, value, CACHE_MODES) });
      break;
    case "discard":
      takeWritePolicy(draft, { discard: parseWord(name, value, DISCARD_MODES) });
      break;
    case "detect-zeroes":
      takeWritePolicy(draft, { detectZeroes: parseWord(name, value, DETECT_ZEROES_MODES) });
      break;
    case "cache-clean-interval":
      draft.cleanIntervalSeconds = parseCleanInterval(value);
      break;
    case "allow-backing":
      draft.allowBacking.push(value);
      break;
    case "parent":
      draft.parents.push(value);
      break;
    case "key-file":
      draft.keyFile = agreeing(name, draft.keyFile, value);
      break;
    case "transport":
      draft.transport = agreeing(name, draft.transport, parseTransport(value));
      break;
    case "kernel-decode":
      draft.kernelDecode = parseSwitch(value, "failed to parse --kernel-decode");
      break;
    case "threads":
      draft.threads = parseThreads(value);
      break;
    case "socket":
      requirePath("a socket", value);
      draft.socketPath = agreeing(name, draft.socketPath, value);
      break;
    case "tab":
      draft.tab = value;
      break;
    case "pid-file":
      requirePath("a PID file", value);
      draft.pidFile = agreeing(name, draft.pidFile, value);
      break;
  }
}

function takeWritePolicy(draft: Draft, more: Partial<WritePolicy>): void {
  draft.writePolicy = { ...draft.writePolicy, ...more };
}

/**
 * The value of an option that may be repeated but not contradicted. (Where losetup's own options are
 * repeated, the last one counts, as there.)
 *
 * @throws {UsageError} if `earlier` is another value
 */
export function agreeing<T extends string>(
  name: OptionName,
  earlier: T | undefined,
  value: T,
): T {
  if (earlier === undefined || earlier === value) return value;
  throw new UsageError(`conflicting arguments for --${name}: '${earlier}' and '${value}'`);
}

/** `-d` and `-c` take their devices from the operands too, but there has to be one. */
function requireActionDevice({ seen, bareAction, actionDevices, operands }: Settings): void {
  if (bareAction === undefined || seen.has("tab")) return;
  if (actionDevices.length + operands.length === 0) throw missingArgument(bareAction);
}
