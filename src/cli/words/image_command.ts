/**
 * The commands that look into an image without attaching it:
 *
 *     tslosetup --info [--json] FILE
 *     tslosetup --map [--json] FILE
 *     tslosetup --check [--json] [--repair leaks|all] FILE
 *
 * @module
 */
import type { ImageRequest } from "../../disk/request.ts";
import type { Repair } from "../../image/checking.ts";
import { onlyFile } from "./attach_command.ts";
import { mutuallyExclusive } from "./exclusive.ts";
import type { OptionName } from "./option_table.ts";
import type { Settings } from "./settings.ts";
import { AUTO_FORMAT } from "../../image/formats.ts";

export interface ImageCommand {
  /**
   * Print what the image says of itself, which parts of its disk are stored where, or what is wrong; or
   * write what it has to the image below.
   */
  readonly kind: "info" | "map" | "check" | "commit";
  /** As given. */
  readonly file: string;
  readonly json: boolean;
  /** Canonical name, or `auto`, which is the default here: nothing of the disk is shown. */
  readonly format: string;
  /** As in an attach. */
  readonly backingFormat: string | undefined;
  readonly noBacking: boolean;
  readonly allowBacking: readonly string[];
  readonly parents: readonly string[];
  readonly snapshot: string | undefined;
  /** As in an attach. */
  readonly keyFile: string | undefined;
  /** What a check puts right. */
  readonly repair: Repair;
  /** Whether to look even at an image that is being written, or is marked as corrupt. */
  readonly force: boolean;
}

/** Options about what lies below an image. */
const BELOW = ["backing-fmt", "no-backing", "parent", "allow-backing"] as const;
/** Options that mean something here. */
const ALLOWED: Readonly<Record<ImageCommand["kind"], readonly OptionName[]>> = {
  info: ["json", "file-fmt-type", ...BELOW, "force"],
  map: ["json", "file-fmt-type", ...BELOW, "force", "snapshot"],
  check: ["json", "file-fmt-type", "force", "repair"],
  commit: ["backing-fmt", "allow-backing", "key-file"],
};

const KINDS: readonly ImageCommand["kind"][] = ["info", "map", "check", "commit"];

/** Which of these commands is asked for, if any. */
export function wantedImageCommand({ seen }: Settings): ImageCommand["kind"] | undefined {
  return KINDS.find((kind) => seen.has(kind));
}

/** @throws {UsageError} unless there is one file, and no option for something else */
export function imageCommand(kind: ImageCommand["kind"], settings: Settings): ImageCommand {
  const { seen } = settings;
  const senseless = [...seen].find((name) => name !== kind && !ALLOWED[kind].includes(name));
  if (senseless !== undefined) {
    throw mutuallyExclusive([`--${kind}`, `--${senseless}`]);
  }
  return {
    kind,
    file: onlyFile(settings.operands.map(({ word }) => word)),
    json: seen.has("json"),
    format: settings.format ?? AUTO_FORMAT,
    backingFormat: settings.backingFormat,
    noBacking: seen.has("no-backing"),
    allowBacking: settings.allowBacking,
    parents: settings.parents,
    snapshot: settings.snapshot,
    keyFile: settings.keyFile,
    repair: settings.repair ?? "none",
    force: seen.has("force"),
  };
}

/** How the image is to be opened. */
export function imageRequest(command: ImageCommand): ImageRequest {
  const { format, noBacking, allowBacking, parents, force, backingFormat, snapshot } = command;
  return {
    format,
    readOnly: true,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    noBacking,
    allowBacking,
    ...(parents.length === 0 ? {} : { parents }),
    force,
    ...(backingFormat === undefined ? {} : { backingFormat }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}
