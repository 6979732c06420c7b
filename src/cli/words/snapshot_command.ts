/**
 * The commands that change the internal snapshots of an image:
 *
 *     tslosetup --snapshot-create NAME FILE|DEVICE|SOCKET
 *     tslosetup --snapshot-apply NAME FILE
 *     tslosetup --snapshot-delete NAME FILE|DEVICE|SOCKET
 *
 * @module
 */
import { AUTO_FORMAT } from "../../image/formats.ts";
import type { SnapshotChange } from "../../image/snapshot_change.ts";
import { onlyFile } from "./attach_command.ts";
import { mutuallyExclusive } from "./exclusive.ts";
import type { OptionName } from "./option_table.ts";
import type { Settings } from "./settings.ts";

export interface SnapshotCommand {
  readonly kind: "changeSnapshots";
  readonly change: SnapshotChange;
  /** An image file, or what is attached, as given. */
  readonly target: string;
  /** Canonical name, or `auto`. */
  readonly format: string;
}

/** @throws {UsageError} unless there is one operand, and no option for something else */
export function snapshotCommand(change: SnapshotChange, settings: Settings): SnapshotCommand {
  const { seen, operands, format } = settings;
  const own: OptionName = `snapshot-${change.action}`;
  const senseless = [...seen].find((name) => name !== own && name !== "file-fmt-type");
  if (senseless !== undefined) throw mutuallyExclusive([`--${own}`, `--${senseless}`]);
  return {
    kind: "changeSnapshots",
    change,
    target: onlyFile(operands.map(({ word }) => word)),
    format: format ?? AUTO_FORMAT,
  };
}
