/**
 * VMDK: images of VMware, which VirtualBox and qemu make as well: monolithic or in pieces, sparse or flat.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { VMDK } from "../../image/formats.ts";
import { lateModule } from "../../sys/late_module.ts";
import { isDescriptor } from "./descriptor/mark.ts";
import { COWD_MARK, DESCRIPTOR_MARK, HOSTED_MARK, SESPARSE_MARK } from "./layout.ts";

const code = await lateModule<typeof import("./driver.ts")>("format/vmdk/driver");

/** The VMDK driver. */
export const vmdk: FormatDriver = {
  ...VMDK,
  magics: [DESCRIPTOR_MARK, HOSTED_MARK, COWD_MARK, SESPARSE_MARK]
    .map((bytes) => ({ offset: 0, bytes })),
  isTextOf: isDescriptor,
  extensions: ["vmdk"],
  hasPieces: true,
  open: (file, options) => code().open(file, options),
  obstacleToWriting: (file) => code().obstacleToWriting(file),
  info: (file) => code().info(file),
};
