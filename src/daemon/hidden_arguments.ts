/**
 * Hidden first arguments, by which the program starts itself for other work than a command's.
 *
 * @module
 */

/** Makes the program a daemon. */
export const DAEMON_ARGUMENT = "--internal-daemon";
/** Makes it the helper that has a device detached once nobody uses it. */
export const LAZY_DETACH_ARGUMENT = "--internal-lazy-detach";
/** Makes it the process that has file systems frozen for a moment. */
export const FREEZER_ARGUMENT = "--internal-freezer";
/** Has it do what is left to do when a daemon was killed, and none takes its place. */
export const REAP_ARGUMENT = "--internal-reap";
/** Has another daemon take the place of one that was killed. */
export const REVIVE_ARGUMENT = "--internal-revive";
