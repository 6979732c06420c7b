/**
 * A list of runs of clusters, each of which has lost one reference.
 *
 * @module
 */

/** Keeps them in the order in which they come; what continues the last run is joined to it. */
export class ClusterRuns {
  #firsts: number[] = [];
  #counts: number[] = [];

  get runs(): number {
    return this.#firsts.length;
  }

  add(first: number, count: number): void {
    const last = this.#firsts.length - 1;
    const lastFirst = this.#firsts[last] ?? -1;
    const lastCount = this.#counts[last] ?? 0;
    if (last >= 0 && lastFirst + lastCount === first) {
      this.#counts[last] = lastCount + count;
      return;
    }
    this.#firsts.push(first);
    this.#counts.push(count);
  }

  firstOf(run: number): number {
    return this.#firsts[run] ?? 0;
  }

  countOf(run: number): number {
    return this.#counts[run] ?? 0;
  }

  /** Adds all of `others`, which has none afterwards. */
  takeOver(others: ClusterRuns): void {
    for (let run = 0; run < others.runs; run++) this.add(others.firstOf(run), others.countOf(run));
    others.clear();
  }

  /** Removes up to `most` clusters from the end of the list, all of one run; the first, and how many. */
  takeLast(most: number): readonly [first: number, count: number] | undefined {
    const first = this.#firsts.pop();
    const count = this.#counts.pop();
    if (first === undefined || count === undefined) return undefined;
    if (count <= most) return [first, count];
    this.#firsts.push(first);
    this.#counts.push(count - most);
    return [first + count - most, most];
  }

  /** Removes up to `most` clusters from the start of the list, all of one run; the first, and how many. */
  takeFirst(most: number): readonly [first: number, count: number] | undefined {
    const first = this.#firsts[0];
    const count = this.#counts[0];
    if (first === undefined || count === undefined) return undefined;
    if (count <= most) {
      this.#firsts.shift();
      this.#counts.shift();
      return [first, count];
    }
    this.#firsts[0] = first + most;
    this.#counts[0] = count - most;
    return [first, most];
  }

  clear(): void {
    this.#firsts = [];
    this.#counts = [];
  }
}
