/**
 * What is loaded of the VHDX driver once there is a file to be opened or described.
 *
 * @module
 */
export { describeVhdx as info } from "./info.ts";
export { openVhdx as open } from "./open.ts";
