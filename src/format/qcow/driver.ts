/**
 * What is loaded of the QCOW driver once there is a file to be opened or described.
 *
 * @module
 */
export { describe as info } from "./info.ts";
export { openQcow as open } from "./open.ts";
