/**
 * All ways in which the flushes of several threads can come about, on a model of the kernel: errors of
 * writing back are told once to each open file, and all threads share one.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertGreater, assertThrows } from "@std/assert";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { syncOf } from "../../src/disk/sync_round.ts";
import { FlushQueue } from "../../src/loop/flush_queue.ts";
import { SharedState } from "../../src/loop/shared_state.ts";
import { EIO } from "../../src/sys/errno.ts";
import type { HasFd, SlowTask } from "../../src/storage/slow_lane.ts";

/** Runs `run` with every sequence of choices; how often that was. */
function explore(run: (choose: (count: number) => number) => void): number {
  const taken: { choice: number; count: number }[] = [];
  for (let runs = 1;; runs++) {
    let at = 0;
    run((count) => {
      const known = taken[at++];
      if (known !== undefined) return known.choice;
      taken.push({ choice: 0, count });
      return 0;
    });
    for (let last = taken.pop();; last = taken.pop()) {
      if (last === undefined) return runs;
      if (last.choice + 1 === last.count) continue;
      taken.push({ ...last, choice: last.choice + 1 });
      break;
    }
  }
}

/** fdatasync(2) in three steps: writing back, looking for an error, coming back to its thread. */
interface Sync {
  readonly task: SlowTask;
  readonly thread: Thread;
  isWritten: boolean;
  result: number | undefined;
}

class World {
  readonly threads: Thread[] = [];
  /** Whether the write that cannot be written back has been made. */
  isBadWritten = false;
  #isBadDirty = false;
  #hasError = false;
  readonly #syncs: Sync[] = [];
  readonly #choose: (count: number) => number;
  #interruptionsLeft: number;

  /** @param interruptions how often others get on in the middle of a call */
  constructor(choose: (count: number) => number, interruptions: number) {
    this.#choose = choose;
    this.#interruptionsLeft = interruptions;
  }

  write(isBad: boolean): void {
    if (!isBad) return;
    this.isBadWritten = true;
    this.#isBadDirty = true;
  }

  sync(thread: Thread, task: SlowTask): void {
    this.#syncs.push({ task, thread, isWritten: false, result: undefined });
  }

  /** Syncs of `thread` that have come back. */
  takeFinished(thread: Thread): Sync[] {
    const finished = this.#syncs.filter((sync) =>
      sync.thread === thread && sync.result !== undefined
    );
    for (const sync of finished) this.#syncs.splice(this.#syncs.indexOf(sync), 1);
    return finished;
  }

  #writeBack(): void {
    if (this.#isBadDirty) this.#hasError = true;
    this.#isBadDirty = false;
  }

  /** Steps of the kernel that can be made now. */
  #kernelSteps(): (() => void)[] {
    return this.#syncs.filter(({ result }) => result === undefined).map((sync) => () => {
      if (!sync.isWritten) {
        this.#writeBack();
        sync.isWritten = true;
        return;
      }
      sync.result = this.#hasError ? EIO : 0;
      this.#hasError = false;
      sync.thread.isWoken = true;
    });
  }

  #steps(): (() => void)[] {
    return [...this.threads.flatMap((thread) => thread.steps()), ...this.#kernelSteps()];
  }

  /** Another thread, or the kernel, may get on at this point. */
  mayInterrupt(): void {
    if (this.#interruptionsLeft === 0) return;
    const steps = this.#steps();
    const choice = this.#choose(steps.length + 1);
    if (choice === 0) return;
    this.#interruptionsLeft--;
    steps[choice - 1]?.();
  }

  /** Runs until nothing happens any more. */
  run(): void {
    for (let steps = this.#steps(); steps.length > 0; steps = this.#steps()) {
      steps[this.#choose(steps.length)]?.();
    }
  }
}

class Thread {
  /** Whether something has come since its last turn that ends a sleep, as a pending signal does. */
  isWoken = false;
  answered = 0;
  readonly #queue: FlushQueue;
  readonly #world: World;
  readonly #script: string[];
  /** Within a call: only others get on then. */
  #isBusy = false;
  #flushes = 0;

  constructor(world: World, shared: SharedState, script: readonly string[]) {
    this.#world = world;
    this.#script = [...script];
    const lane = { sync: (_: HasFd, task: SlowTask): void => world.sync(this, task) };
    const wake = (other: number): void => {
      const sleeper = world.threads[other];
      if (sleeper !== undefined) sleeper.isWoken = true;
    };
    const thread = world.threads.length;
    const onFailure = (): void => {};
    const files = [{ fd: 3, syncFailed: () => {} } as ImageFile];
    this.#queue = new FlushQueue(syncOf(files), { lane, shared, thread, wake, onFailure });
  }

  get hasEnded(): boolean {
    return this.#script.length === 0 && this.answered === this.#flushes;
  }

  steps(): (() => void)[] {
    if (this.#isBusy) return [];
    const steps: (() => void)[] = [];
    if (this.#script.length > 0) steps.push(() => this.#exclusively(() => this.#request()));
    if (this.isWoken) steps.push(() => this.#exclusively(() => this.#turn()));
    return steps;
  }

  #exclusively(act: () => void): void {
    this.#isBusy = true;
    act();
    this.#isBusy = false;
  }

  #request(): void {
    this.isWoken = true;
    const request = this.#script.shift();
    if (request !== "flush") return this.#world.write(request === "bad write");
    const mustFail = this.#world.isBadWritten;
    this.#flushes++;
    this.#queue.add({
      finished: (errno) => {
        this.answered++;
        assert(errno !== 0 || !mustFail, "a lost write is said to be durable");
      },
    });
  }

  #turn(): void {
    this.isWoken = false;
    for (const { task, result } of this.#world.takeFinished(this)) task.finished(result ?? 0);
    this.#queue.reap();
    if (!this.#queue.fallAsleep()) this.isWoken = true;
  }
}

/** What threads share, where others may get on before each look at it. */
function interruptible(world: World, shared: SharedState): SharedState {
  return new Proxy(shared, {
    get: (_, name) => {
      world.mayInterrupt();
      const value: unknown = Reflect.get(shared, name, shared);
      return typeof value === "function" ? value.bind(shared) : value;
    },
  });
}

type Share = (shared: SharedState) => SharedState;

const together: Share = (shared) => shared;

interface Scenario {
  readonly scripts: readonly string[][];
  readonly interruptions: number;
  readonly share?: Share;
}

/** Lets threads with these scripts loose on each other in all ways; how many there are. */
function exploreThreads({ scripts, interruptions, share = together }: Scenario): number {
  return explore((choose) => {
    const world = new World(choose, interruptions);
    const common = new SharedState();
    for (const script of scripts) {
      world.threads.push(new Thread(world, interruptible(world, share(common)), script));
    }
    world.run();
    assert(world.threads.every((thread) => thread.hasEnded), "a flush is never answered");
  });
}

/** Each thread with syncs of its own: they share only that one of them has failed. */
const apart: Share = (common) => {
  const own = new SharedState();
  Object.defineProperty(own, "flushFailed", { get: () => common.flushFailed });
  own.setFlushFailed = () => common.setFlushFailed();
  return own;
};

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "two threads": { scripts: [["bad write", "flush"], ["flush"]], interruptions: 2 },
  "two that flush again": {
    scripts: [["bad write", "flush"], ["flush", "flush"]],
    interruptions: 0,
  },
  "one that writes, two that flush": {
    scripts: [["bad write"], ["flush"], ["flush"]],
    interruptions: 1,
  },
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`FlushQueue answers every flush, and no lost write is durable: ${name}`, () => {
    assertGreater(exploreThreads(scenario), 10_000);
  });

  Deno.test(`the model finds the lost write where threads sync for themselves: ${name}`, () => {
    const run = (): number => exploreThreads({ ...scenario, share: apart });
    assertThrows(run, Error, "a lost write is said to be durable");
  });
}
