/**
 * What a check has found so far.
 *
 * @module
 */

/** So many faults are told one by one. */
const MAX_TOLD = 100;

export class Findings {
  #corruptions = 0;
  #flagFaults = 0;
  #lasting = 0;
  #isMended = false;
  #leaks = 0;
  #told = 0;
  #needsRebuild = false;
  #isPartlyUnreadable = false;
  readonly #report: (line: string) => void;

  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  /** Faults that could cost data. */
  get corruptions(): number {
    return this.#corruptions;
  }

  /** Those of them that are wrong COPIED flags, and nothing more. */
  get flagFaults(): number {
    return this.#flagFaults;
  }

  /** Whether a repair leaves some of the faults, wherever they are. */
  get areLasting(): boolean {
    return this.#lasting > 0;
  }

  /** Clusters that count as used more often than they are. */
  get leaks(): number {
    return this.#leaks;
  }

  /** Whether the counts cannot be put right where they are. */
  get needsRebuild(): boolean {
    return this.#needsRebuild;
  }

  /**
   * Whether something leads where nothing can be: what it was meant to lead to now looks unused, and
   * is not to be given away.
   */
  get isPartlyUnreadable(): boolean {
    return this.#isPartlyUnreadable;
  }

  /** A fault that could cost data, as often as it counts. */
  corrupt(describe: () => string, times = 1): void {
    this.#corruptions += times;
    this.#tell(describe, "ERROR");
  }

  /** As {@link Findings.corrupt}, of one that a repair leaves. */
  lasting(describe: () => string, times = 1): void {
    if (!this.#isMended) this.#lasting += times;
    this.corrupt(describe, times);
  }

  /** As {@link Findings.lasting}, of something that leads nowhere. */
  unreadable(describe: () => string, times = 1): void {
    this.#isPartlyUnreadable = true;
    this.lasting(describe, times);
  }

  /** Has a repair mend all that `look` finds. */
  asMended(look: () => void): void {
    this.#isMended = true;
    look();
    this.#isMended = false;
  }

  /** A COPIED flag that is wrong. */
  wrongFlag(describe: () => string, times = 1): void {
    this.#flagFaults += times;
    this.corrupt(describe, times);
  }

  leak(describe: () => string): void {
    this.#leaks++;
    this.#tell(describe, "Leaked");
  }

  /** The refcount table or a block cannot stay as it is. */
  rebuild(): void {
    this.#needsRebuild = true;
  }

  #tell(describe: () => string, kind: string): void {
    if (this.#told < MAX_TOLD) this.#report(`${kind} ${describe()}`);
    this.#told++;
  }

  /** Says of how many faults nothing has been said. */
  end(): void {
    const more = this.#told - MAX_TOLD;
    if (more > 0) this.#report(`... and ${more} more`);
  }
}
