/**
 * QED: qemu's enhanced disk images.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { QED } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { MAGIC_BYTES } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/qed/driver");

/** The QED driver. */
export const qed: FormatDriver = {
  ...QED,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: (file, options) => code().open(file, options),
  obstacleToWriting: (file) => code().obstacleToWriting(file),
  info: (file) => code().info(file),
  check: (file, options) => code().check(file, options),
};
