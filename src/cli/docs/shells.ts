/**
 * What the completions of all shells have in common.
 *
 * @module
 */
import type { OptionRow } from "../words/option_table.ts";
import { argumentOf } from "./arguments.ts";

/** Prints the devices there are, one on each line. */
export const DEVICE_LISTING = "tslosetup --list --noheadings --raw --output NAME 2>/dev/null";

/** Whether an option makes the operands devices that are attached, as `-d` does. */
export function isDeviceOption(option: OptionRow): boolean {
  return argumentOf(option).kind === "device";
}
