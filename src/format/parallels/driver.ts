/**
 * What is loaded of the PARALLELS driver once there is a file to be opened or described.
 *
 * @module
 */
export {
  checkParallels as check,
  describeParallels as info,
  obstacleIn as obstacleToWriting,
  openParallels as open,
} from "./open.ts";
