/**
 * Where a daemon has the system's folder /run, see own_root.ts.
 *
 * @module
 */

/** Its descriptor. */
export const RUN_FOLDER_FD = 6;
