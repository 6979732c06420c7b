/**
 * What is loaded of the QCOW1 driver once there is a file to be opened or described.
 *
 * @module
 */
export { describeQcow1 as info } from "./info.ts";
export { openQcow1 as open } from "./open.ts";
