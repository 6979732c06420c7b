/**
 * QCOW1: qemu's copy-on-write images of version 1, which qemu calls qcow.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { QCOW1 } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/qcow1/driver");

/** The QCOW1 driver. */
export const qcow1: FormatDriver = {
  ...QCOW1,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
