/**
 * What a step of a change comes to.
 *
 * @module
 */

/** If not to a number of bytes. */
export const ChangeStep = {
  /** It cannot be done this way: zeros have to be written. */
  Unable: 0,
  /** Something has to come first, which the attempt says. */
  Blocked: -1,
} as const;
