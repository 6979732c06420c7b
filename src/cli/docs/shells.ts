/**
 * What the completions of all shells have in common.
 *
 * @module
 */
import type { OptionRow } from "../words/option_table.ts";
import { argumentOf } from "./arguments.ts";

/** What completions ask the program for. */
export type CompletionKind = "devices" | "snapshots";

/**
 * The command that prints words, each on a line with a tab before its explanation.
 *
 * @param image how the shell spells the image whose snapshots are asked for
 */
export function completionCommand(kind: CompletionKind, image = ""): string {
  return ["tslosetup --internal-complete", kind, image, "2>/dev/null"].filter((word) => word !== "")
    .join(" ");
}

/** A node that there may not be before tslosetup has loaded the driver. */
export const FIRST_NBD_DEVICE = "/dev/nbd0";

/** Whether an option makes the operands devices that are attached, as `-d` does. */
export function isDeviceOption(option: OptionRow): boolean {
  return argumentOf(option).kind === "device";
}
