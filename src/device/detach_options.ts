/**
 * How to detach.
 *
 * @module
 */

/** How to detach. */
export interface DetachOptions {
  /** Whether to disconnect even nbd devices of other programs, and to kill daemons that hang. */
  readonly force: boolean;
  /** Whether to tell which devices these are. */
  readonly verbose: boolean;
}
