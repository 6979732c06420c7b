/**
 * DMG: Apple's disk images, as far as they have chunks of their own; read only.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { DMG } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { ENCRYPTED_MAGIC, OLD_ENCRYPTED_MAGIC, TRAILER, TRAILER_MAGIC } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/dmg/driver");

/** The DMG driver. Encrypted images are found, too, to be refused by name. */
export const dmg: FormatDriver = {
  ...DMG,
  magics: [
    { offset: -TRAILER.sizeBytes, bytes: TRAILER_MAGIC },
    { offset: 0, bytes: TRAILER_MAGIC },
    { offset: 0, bytes: ENCRYPTED_MAGIC },
    { offset: -OLD_ENCRYPTED_MAGIC.length, bytes: OLD_ENCRYPTED_MAGIC },
  ],
  open: (file, options) => code().open(file, options),
  info: (file, memory) => code().info(file, memory),
  contentSteps: (file, related) => code().contentSteps(file, related),
};
