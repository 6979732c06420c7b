/**
 * The format drivers of this program.
 *
 * @module
 */
import { androidSparse } from "../format/android_sparse/mod.ts";
import { bochs } from "../format/bochs/mod.ts";
import { ewf } from "../format/ewf/mod.ts";
import { gzip } from "../format/gzip/mod.ts";
import { cloop } from "../format/cloop/mod.ts";
import { dmg } from "../format/dmg/mod.ts";
import { luks } from "../format/luks/mod.ts";
import { parallels } from "../format/parallels/mod.ts";
import { qcow } from "../format/qcow/mod.ts";
import { qcow1 } from "../format/qcow1/mod.ts";
import { qed } from "../format/qed/mod.ts";
import { raw } from "../format/raw/mod.ts";
import { sparsebundle } from "../format/sparsebundle/mod.ts";
import { sparseimage } from "../format/sparseimage/mod.ts";
import { vdi } from "../format/vdi/mod.ts";
import { vhd } from "../format/vhd/mod.ts";
import { vhdx } from "../format/vhdx/mod.ts";
import { vmdk } from "../format/vmdk/mod.ts";
import { xz } from "../format/xz/mod.ts";
import { zstd } from "../format/zstd/mod.ts";
import type { FormatDriver } from "../image/driver.ts";
import { formatNamed, RAW } from "../image/formats.ts";

/** All drivers, in the order in which probing asks them: RAW, which takes everything, is last. */
export const DRIVERS: readonly FormatDriver[] = [
  qcow,
  qcow1,
  qed,
  vdi,
  vhd,
  vhdx,
  vmdk,
  parallels,
  bochs,
  cloop,
  androidSparse,
  dmg,
  sparseimage,
  sparsebundle,
  luks,
  ewf,
  gzip,
  xz,
  zstd,
  raw,
];

/** The driver that has `name` as its name or as one of its aliases, in any case. */
export function findDriver(name: string): FormatDriver | undefined {
  return formatNamed(DRIVERS, name);
}

/** Names of qemu's that are not, in any case, ours. `file` and `host_device` mean plain bytes. */
const QEMU_NAMES: ReadonlyMap<string, string> = new Map([
  ["qcow2", "QCOW"],
  ["qcow", "QCOW1"],
  ["vpc", "VHD"],
  ["file", RAW.name],
  ["host_device", RAW.name],
]);

/** What images record for the format of a driver: qemu's name of it. */
export function recordedName({ name }: FormatDriver): string {
  const known = [...QEMU_NAMES].find(([, ours]) => ours === name && name !== RAW.name);
  return known?.[0] ?? name.toLowerCase();
}

/** The driver for a format as images record it: by qemu's name. */
export function findRecordedDriver(name: string): FormatDriver | undefined {
  return findDriver(QEMU_NAMES.get(name) ?? name);
}
