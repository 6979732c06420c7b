/**
 * What is loaded of the VHD driver once there is a file to be opened or described.
 *
 * @module
 */
export { checkVhd as check } from "./check.ts";
export { describeVhd as info } from "./info.ts";
export { openVhd as open } from "./open.ts";
