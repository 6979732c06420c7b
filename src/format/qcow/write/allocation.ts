/**
 * What an allocation is answered with.
 *
 * @module
 */

/** Clusters that have been allocated. */
export interface Allocation {
  first: number;
  count: number;
  /** Whether they are known to be zeros. */
  isBlank: boolean;
  /** Whether it is durable that they are used, and zeros: what refers to them may be written at once. */
  isCounted: boolean;
}
