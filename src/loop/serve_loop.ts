/**
 * The loop of one thread: serves all its channels, and sleeps when there is nothing to do.
 *
 *     turn: receive → take requests → answer what the slow lane finished → send
 *       └─ nothing came? spin a little, then poll() all sockets and sources
 *
 * @module
 */
import { CacheCleaner } from "./cache_cleaner.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { POLLERR, POLLHUP, POLLIN, PollSet } from "../sys/poll.ts";
import { completionSignal, SignalReader } from "../sys/signals.ts";
import { SlowLane } from "../storage/slow_lane.ts";
import type { Channel } from "./channel.ts";
import { type ErrorLog, Executor } from "./executor.ts";
import { LoadMeter } from "./load_meter.ts";
import type { SharedState } from "./shared_state.ts";
import { SpinPolicy } from "./spin.ts";

/** Turns after which sources get a look even if traffic never lets the thread sleep. */
const TURNS_BETWEEN_POLLS = 32;

/** How long clients may take to read their last answers. */
const FINISH_MS = 3000;
/** While slow work is under way, it is looked after so often: signals can get lost (RLIMIT_SIGPENDING). */
const MAX_SLOW_SLEEP_MS = 100;
/** Turns without input after which a channel is only looked at when poll() names it. */
const IDLE_TURNS = 2000;

/** A descriptor other than a channel's that the loop watches. */
export interface Source {
  readonly fd: number;
  onReadable(): void;
}

/** Threads that do a part of the work of this one, as far as its loop has to know of them. */
export interface Helpers {
  /** Whether some of their work is not done, or nobody has been told yet. */
  readonly busy: boolean;
  /** Readable when work is done while {@link Helpers.fallAsleep} is in force. */
  readonly wakeFd: number;
  /** Empties what {@link Helpers.wakeFd} is. */
  drain(): void;
  /** Tells those whose work is done. */
  reap(): void;
  /** This thread is about to sleep; false if it had better not: some work is done. */
  fallAsleep(): boolean;
  wakeUp(): void;
}

/** Room that channels may wait for. */
export interface Room {
  /** Whether some has been freed since the last call. */
  takeFreed(): boolean;
}

export interface LoopContext {
  readonly access: ImageAccess;
  readonly shared: SharedState;
  readonly log: ErrorLog;
  /** Number of this thread; 0 is the main one. */
  readonly thread: number;
  readonly maySpin: boolean;
  /** Threads that decompress for this one. */
  readonly decoding?: Helpers;
  /** What channels wait for that need more memory than there is; they are served again then. */
  readonly room: Room;
  /** After this time or twice as much without traffic, memory is given back; 0 for never. */
  readonly cleanIntervalMs: number;
  /** Called when a connection has ended. */
  readonly onConnectionEnd: () => void;
  /** Called now and then while there is more to do than this thread can. */
  readonly onOverload: () => void;
}

export class ServeLoop {
  readonly #context: LoopContext;
  readonly #completions: SignalReader;
  /** Executes what the channels take in. */
  readonly executor: Executor;
  readonly #spin: SpinPolicy;
  readonly #load = new LoadMeter();
  readonly #cleaner: CacheCleaner | undefined;
  readonly #sources: Source[] = [];
  readonly #poll = new PollSet();
  #channels: Channel[] = [];
  #stopped = false;
  /** When channels that are to finish are closed in any case, by the monotonic clock. */
  #finishBy = Infinity;

  constructor(context: LoopContext) {
    this.#context = context;
    const signal = completionSignal(context.thread);
    this.#completions = new SignalReader([signal]);
    this.executor = new Executor({ ...context, lane: new SlowLane(signal) });
    this.#spin = new SpinPolicy(context.maySpin);
    const drain = (): void => {
      while (this.#completions.next() !== 0);
    };
    this.addSource({ fd: this.#completions.fd, onReadable: drain });
    this.#cleaner = this.#createCleaner();
    const { decoding } = context;
    if (decoding === undefined) return;
    this.addSource({ fd: decoding.wakeFd, onReadable: () => decoding.drain() });
  }

  #createCleaner(): CacheCleaner | undefined {
    const { access, cleanIntervalMs } = this.#context;
    if (cleanIntervalMs === 0) return undefined;
    const cleaner = new CacheCleaner(cleanIntervalMs, () => {
      access.dropCaches();
      this.executor.releaseMemory();
      for (const channel of this.#channels) channel.releaseMemory();
    });
    this.addSource({ fd: cleaner.fd, onReadable: () => cleaner.tick() });
    return cleaner;
  }

  /**
   * Takes notice of the image's size.
   *
   * @throws {RangeError} if nothing would be left of the disk; all stays as it was then
   */
  refreshSize(): void {
    this.#context.access.refreshSize();
  }

  /** Tells those who can be told that the size may be another one. */
  announceSize(): void {
    for (const channel of this.#channels) channel.sizeChanged();
  }

  addSource(source: Source): void {
    this.#sources.push(source);
  }

  removeSource(fd: number): void {
    const at = this.#sources.findIndex((source) => source.fd === fd);
    if (at >= 0) this.#sources.splice(at, 1);
  }

  /** Serves one more channel, until it is over. */
  addChannel(channel: Channel): void {
    this.#channels.push(channel);
  }

  /** Ends all channels: what has been taken is answered first. */
  finishChannels(): void {
    for (const channel of this.#channels) channel.finish();
    this.#finishBy = performance.now() + FINISH_MS;
  }

  /** Ends all channels at once, whatever they wait for. */
  closeChannels(): void {
    this.#close(this.#channels);
    this.#channels = [];
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Serves until {@link ServeLoop.stop} is called. */
  run(): void {
    let fruitless = 0;
    let fruitful = 0;
    while (!this.#stopped) {
      if (this.#turn()) {
        this.#cleaner?.used();
        if (fruitless > 0) this.#spin.succeeded(performance.now());
        fruitless = 0;
        if (++fruitful === TURNS_BETWEEN_POLLS) {
          fruitful = 0;
          this.#lookAround();
        }
      } else if (fruitless < this.#spin.turns && this.#startSpinning()) {
        if (fruitless++ === 0) this.#spin.begins(performance.now());
        this.#load.idled();
      } else {
        if (fruitless > 0) this.#spin.gaveUp(performance.now());
        if (!this.#stopped) this.#sleep();
        fruitless = 0;
      }
    }
  }

  /** Does for every channel what can be done now: those whose clients have gone end. */
  catchUp(): void {
    for (const channel of this.#channels) channel.idleTurns = 0;
    if (this.#turn()) this.#cleaner?.used();
  }

  /** Looks at the sources in spite of all the traffic, and whether it is too much. */
  #lookAround(): void {
    this.#pollOnce(0);
    if (this.#load.isTooMuch(TURNS_BETWEEN_POLLS, performance.now())) this.#context.onOverload();
  }

  #startSpinning(): boolean {
    return this.#context.shared.startSpinning(this.#context.thread);
  }

  #sleep(): void {
    const { decoding, shared, thread } = this.#context;
    const mayWait = this.executor.fallAsleep();
    shared.stopSpinning(thread);
    this.#spin.fallsAsleep(performance.now());
    const mayWaitForHelpers = decoding?.fallAsleep() !== false;
    this.#pollOnce(mayWait && mayWaitForHelpers ? this.#patienceMs() : 0);
    decoding?.wakeUp();
    const wokenAt = performance.now();
    this.#spin.wokenUp(wokenAt);
    this.#load.slept(wokenAt);
    this.#endOverdue(wokenAt);
  }

  /** How long to sleep at most, -1 for as long as it takes. */
  #patienceMs(): number {
    const slowMs = this.executor.waits ? MAX_SLOW_SLEEP_MS : Infinity;
    const patienceMs = Math.min(slowMs, this.#finishBy - performance.now());
    if (patienceMs === Infinity) return -1;
    return Math.max(0, Math.ceil(patienceMs));
  }

  /** Ends the channels of those who do not read their last answers. */
  #endOverdue(nowMs: number): void {
    if (nowMs < this.#finishBy) return;
    this.#finishBy = Infinity;
    this.closeChannels();
  }

  /** Serves every channel once; whether any of them had something. */
  #turn(): boolean {
    let busy = false;
    for (const channel of this.#channels) {
      if (this.#serve(channel)) busy = true;
    }
    this.executor.reap();
    if (this.executor.goOn()) busy = true;
    if (this.#context.decoding?.busy) this.#context.decoding.reap();
    if (this.executor.resumeReady()) {
      busy = true;
      for (const channel of this.#channels) channel.send();
    }
    if (this.#channels.some(isOver)) this.#removeEnded();
    const hasRoom = this.executor.takeFreed();
    if (this.#context.room.takeFreed() || hasRoom) {
      busy = true;
      for (const channel of this.#channels) channel.idleTurns = 0;
    }
    return busy;
  }

  #serve(channel: Channel): boolean {
    if (channel.idleTurns > IDLE_TURNS) return false;
    const progress = channel.serve();
    channel.idleTurns = progress ? 0 : channel.idleTurns + 1;
    return progress;
  }

  #removeEnded(): void {
    const ended = this.#channels.filter(isOver);
    this.#channels = this.#channels.filter((channel) => !isOver(channel));
    this.#close(ended);
  }

  #close(channels: readonly Channel[]): void {
    for (const channel of channels) {
      channel.close();
      this.#context.shared.removeConnection(this.#context.thread);
      this.#context.onConnectionEnd();
    }
  }

  /** Waits for sockets and sources, and lets the sources do their work. */
  #pollOnce(timeoutMs: number): void {
    this.#poll.clear();
    for (const source of this.#sources) this.#poll.add(source.fd, POLLIN);
    for (const channel of this.#channels) {
      this.#poll.add(channel.events === 0 ? PollSet.NOTHING : channel.fd, channel.events);
    }
    if (this.#poll.wait(timeoutMs) <= 0) return;
    this.#channels.forEach((channel, index) => {
      if (this.#poll.events(this.#sources.length + index) !== 0) channel.idleTurns = 0;
    });
    // Working on one source may add or remove others.
    const readable = this.#sources.filter((_, place) =>
      (this.#poll.events(place) & (POLLIN | POLLHUP | POLLERR)) !== 0
    );
    for (const source of readable) source.onReadable();
  }
}

function isOver(channel: Channel): boolean {
  return channel.isOver;
}
