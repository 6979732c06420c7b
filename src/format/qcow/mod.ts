/**
 * QCOW: qemu's copy-on-write images of version 2 and 3, known as qcow2. Those of version 1 are another
 * format, which is found under this name, too.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { QCOW } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { qcow1 } from "../qcow1/mod.ts";
import { MAGIC_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/qcow/driver");
const checking = await lateModule<typeof import("./check/check.ts")>("format/qcow/check/check");
const changing = await lateModule<typeof import("./snapshots/change.ts")>(
  "format/qcow/snapshots/change",
);

/** The QCOW driver. */
export const qcow: FormatDriver = {
  ...QCOW,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  otherVersions: [qcow1],
  open: (file, options) => code().open(file, options),
  info: (file, memory) => code().info(file, memory),
  check: (file, options) => checking().checkQcow(file, options),
  changeSnapshots: (file, change) => changing().changeSnapshots(file, change),
};
