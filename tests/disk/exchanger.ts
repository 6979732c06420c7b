/**
 * A thread that exchanges two folders, again and again, until it is told to end; then it says so.
 *
 * @module
 */

/** The paths of the folders, and one that is free. */
export interface Exchange {
  readonly one: string;
  readonly other: string;
  readonly free: string;
}

/** What the thread gets: `end` becomes 1 when it shall end. */
export interface ExchangeTask extends Exchange {
  readonly end: Int32Array;
}

function exchange({ one, other, free, end }: ExchangeTask): void {
  while (Atomics.load(end, 0) === 0) {
    Deno.renameSync(one, free);
    Deno.renameSync(other, one);
    Deno.renameSync(free, other);
  }
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ExchangeTask>) => void;
  postMessage(word: string): void;
};
scope.onmessage = ({ data }) => {
  exchange(data);
  scope.postMessage("ended");
};
