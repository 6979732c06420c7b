/**
 * The format drivers of this program.
 *
 * @module
 */
import { luks } from "../format/luks/mod.ts";
import { qcow } from "../format/qcow/mod.ts";
import { raw } from "../format/raw/mod.ts";
import type { FormatDriver } from "./driver.ts";

/** All drivers, in the order in which probing asks them: RAW, which takes everything, is last. */
export const DRIVERS: readonly FormatDriver[] = [qcow, luks, raw];

/** The driver for files of no format at all. */
export const RAW: FormatDriver = raw;

/** What the command line has to know of formats. */
export interface FormatNames {
  /** The driver's own spelling of `name`, or undefined where no driver has that name. */
  canonical(name: string): string | undefined;
  /** The drivers' names, in the registry's order. */
  readonly names: readonly string[];
}

/** The names of {@link DRIVERS}. */
export const FORMAT_NAMES: FormatNames = {
  canonical: (name) => findDriver(name)?.name,
  names: DRIVERS.map((driver) => driver.name),
};

/** The driver that has `name` as its name or as one of its aliases, in any case. */
export function findDriver(name: string): FormatDriver | undefined {
  const wanted = name.toUpperCase();
  return DRIVERS.find((driver) => driver.name === wanted || driver.aliases.includes(wanted));
}

/** Names of qemu's that are not, in any case, ours. `file` and `host_device` mean plain bytes. */
const QEMU_NAMES: ReadonlyMap<string, string> = new Map([
  ["qcow2", "QCOW"],
  ["qcow", "QCOW1"],
  ["file", RAW.name],
  ["host_device", RAW.name],
]);

/** The driver for a format as images record it: by qemu's name. */
export function findRecordedDriver(name: string): FormatDriver | undefined {
  return findDriver(QEMU_NAMES.get(name) ?? name);
}
