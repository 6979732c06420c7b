/**
 * Where the program lies is known only where it is installed.
 *
 * @module
 */

/** Stands for the path of the program; `install.sh` puts that in its place. */
export const PROGRAM_MARK = "@PROGRAM@";
