/**
 * VMDK: images of VMware, which VirtualBox and qemu make as well: monolithic or in pieces, sparse or flat.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { VMDK } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { isDescriptor } from "./descriptor/mark.ts";
import { describeVmdk } from "./info.ts";
import { COWD_MARK, DESCRIPTOR_MARK, HOSTED_MARK, SESPARSE_MARK } from "./layout.ts";
import { openVmdk } from "./open.ts";
import { readSource } from "./source.ts";
import { obstacleIn } from "./write/obstacle.ts";

/** The VMDK driver. */
export const vmdk: FormatDriver = {
  ...VMDK,
  magics: [DESCRIPTOR_MARK, HOSTED_MARK, COWD_MARK, SESPARSE_MARK]
    .map((bytes) => ({ offset: 0, bytes })),
  isTextOf: isDescriptor,
  extensions: ["vmdk"],
  open: (file: ImageFile, options: OpenOptions): Image => openVmdk(file, options),
  obstacleToWriting: (file) => obstacleIn(readSource(file, { force: true })),
  info: describeVmdk,
};
