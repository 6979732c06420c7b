/**
 * What is loaded of the VDI driver once there is a file to be opened or described.
 *
 * @module
 */
export { checkVdi as check } from "./check.ts";
export { describeVdi as info } from "./info.ts";
export { openVdi as open } from "./open.ts";
