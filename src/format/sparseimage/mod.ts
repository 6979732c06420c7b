/**
 * SPARSEIMAGE: disk images of macOS that grow as they are written to. They are only read.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { SPARSEIMAGE } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { HEADER } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/sparseimage/driver");

/** "sprs", and the version's upper bytes, which have been zeros ever since. */
const MARK = Uint8Array.of(0x73, 0x70, 0x72, 0x73, 0, 0, 0);

/** The SPARSEIMAGE driver. */
export const sparseimage: FormatDriver = {
  ...SPARSEIMAGE,
  magics: [{ offset: HEADER.offsets.magic, bytes: MARK }],
  open: (file, options) => code().open(file, options),
  info: (file) => code().info(file),
};
