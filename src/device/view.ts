/**
 * The transport `view`: a loop device over the file of a view. What is said here of daemons is about
 * those that serve a part of one; without such a part there is none, and the kernel knows all.
 *
 * @module
 */
import { FUSE } from "./fuse.ts";
import type { DeviceOperations } from "./operations.ts";

export const VIEW: DeviceOperations = {
  ...FUSE,
  failsWithoutDaemon: "access to what it served",
};
