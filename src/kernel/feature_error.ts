/**
 * What the running kernel lacks, or does not show.
 *
 * @module
 */

/** The running kernel lacks something that this program cannot do without. */
export class KernelFeatureError extends Error {
  override readonly name = "KernelFeatureError";

  constructor(
    /** Name of the missing driver, for example `nbd`. */
    readonly feature: string,
    message: string,
  ) {
    super(message);
  }
}
