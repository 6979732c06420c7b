/**
 * How many threads serve an image.
 *
 * @module
 */

/** Most threads that can be asked for: so many can share one image (shared_state.ts). */
export const MAX_THREADS = 16;

/** Most threads that are used unless a number is asked for; each costs some 20 MB once it is needed. */
export const MAX_UNASKED_THREADS = 4;
