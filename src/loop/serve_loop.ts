/**
 * The loop of one thread: serves all its channels, and sleeps when there is nothing to do.
 *
 *     turn: receive → take requests → answer what the slow lane finished → send
 *       └─ nothing came? spin a little, then poll() all sockets and sources
 *
 * @module
 */
import { SlowLane } from "../storage/slow_lane.ts";
import { libc } from "../sys/libc.ts";
import { forgetFreedMemory } from "../sys/startup_memory.ts";
import { completionSignal, SignalReader } from "../sys/signals.ts";
import { CacheCleaner } from "./cache_cleaner.ts";
import type { Channel } from "./channel.ts";
import { Executor } from "./executor.ts";
import { LoadMeter } from "./load_meter.ts";
import type { LoopContext } from "./loop_context.ts";
import { type Source, Sources } from "./sources.ts";
import { SpinPolicy } from "./spin.ts";
import { WriteBack } from "./write_back.ts";

/** Turns after which sources get a look even if traffic never lets the thread sleep. */
const TURNS_BETWEEN_POLLS = 32;

/** How long clients may take to read their last answers. */
const FINISH_MS = 3000;
/** While slow work is under way, it is looked after so often: signals can get lost (RLIMIT_SIGPENDING). */
const MAX_SLOW_SLEEP_MS = 100;
/** While content is awaited that another thread brings, it is looked for so often. */
const CONTENT_SLEEP_MS = 2;
/** Turns without input after which a channel is only looked at when poll() names it. */
const IDLE_TURNS = 2000;

export class ServeLoop implements Disposable {
  readonly #context: LoopContext;
  readonly #completions: SignalReader;
  /** Executes what the channels take in. */
  readonly executor: Executor;
  readonly #spin: SpinPolicy;
  readonly #load = new LoadMeter();
  readonly #cleaner: CacheCleaner | undefined;
  readonly #writeBack: WriteBack | undefined;
  readonly #sources = new Sources();
  #channels: Channel[] = [];
  #stopped = false;
  /** When channels that are to finish are closed in any case, by the monotonic clock. */
  #finishBy = Infinity;

  /** @throws {SystemError} where there is a want of descriptors; nothing is left open then */
  constructor(context: LoopContext) {
    using undo = new DisposableStack();
    this.#context = context;
    const signal = completionSignal(context.thread);
    this.#completions = undo.use(new SignalReader([signal]));
    this.executor = new Executor({ ...context, lane: new SlowLane(signal) });
    this.#spin = new SpinPolicy(context.maySpin);
    const drain = (): void => {
      while (this.#completions.next() !== 0);
    };
    this.addSource({ fd: this.#completions.fd, onReadable: drain });
    this.#cleaner = undo.use(this.#createCleaner());
    this.#writeBack = undo.use(this.#createWriteBack());
    const { decoding } = context;
    if (decoding !== undefined) {
      this.addSource({ fd: decoding.wakeFd, onReadable: () => decoding.drain() });
    }
    undo.move();
  }

  #createCleaner(): CacheCleaner | undefined {
    const { access, cleanIntervalMs } = this.#context;
    if (cleanIntervalMs === 0) return undefined;
    const cleaner = new CacheCleaner(cleanIntervalMs, () => {
      access.dropCaches();
      this.executor.releaseMemory();
      this.#context.decoding?.releaseMemory();
      for (const channel of this.#channels) channel.releaseMemory();
      forgetFreedMemory();
    });
    this.addSource({ fd: cleaner.fd, onReadable: () => cleaner.tick() });
    return cleaner;
  }

  /** Only where tables are changed is there something to write that nobody has given. */
  #createWriteBack(): WriteBack | undefined {
    const { access } = this.#context;
    if (!access.hasTables) return undefined;
    const writeBack = new WriteBack(access, () => this.executor.writeBack());
    this.addSource({ fd: writeBack.fd, onReadable: () => writeBack.tick() });
    return writeBack;
  }

  /** After {@link ServeLoop.run}: waits for what is under way, and closes what this has opened. */
  [Symbol.dispose](): void {
    this.executor.settle();
    this.#completions[Symbol.dispose]();
    this.#cleaner?.[Symbol.dispose]();
    this.#writeBack?.[Symbol.dispose]();
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
    this.#sources.add(source);
  }

  removeSource(fd: number): void {
    this.#sources.remove(fd);
  }

  /** Serves one more channel, until it is over. */
  addChannel(channel: Channel): void {
    this.#channels.push(channel);
  }

  /** Hangs up on somebody who was to be served, but cannot be. */
  dropConnection(fd: number, reason: string): void {
    this.#context.log.error(`a client was hung up on: ${reason}`);
    libc().close(fd);
    this.#forget();
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
        this.#writeBack?.used();
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
    if (!this.#turn()) return;
    this.#cleaner?.used();
    this.#writeBack?.used();
  }

  /** Looks at the sources in spite of all the traffic, and whether it is too much. */
  #lookAround(): void {
    this.#sources.wait(this.#channels, 0);
    const nowMs = performance.now();
    this.#callOverdue(nowMs);
    if (this.#load.isTooMuch(TURNS_BETWEEN_POLLS, nowMs)) this.#context.onOverload();
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
    const timeoutMs = mayWait && mayWaitForHelpers ? this.#patienceMs() : 0;
    this.#sources.wait(this.#channels, timeoutMs);
    decoding?.wakeUp();
    const wokenAt = performance.now();
    this.#spin.wokenUp(wokenAt);
    this.#load.slept(wokenAt);
    this.#callOverdue(wokenAt);
  }

  /** How long to sleep at most, -1 for as long as it takes. */
  #patienceMs(): number {
    let untilMs = this.#finishBy;
    for (const { deadlineMs } of this.#channels) untilMs = Math.min(untilMs, deadlineMs);
    if (this.executor.isContentAwaited) return CONTENT_SLEEP_MS;
    const slowMs = this.executor.busy ? MAX_SLOW_SLEEP_MS : Infinity;
    if (untilMs === Infinity && slowMs === Infinity) return -1;
    return Math.max(0, Math.ceil(Math.min(slowMs, untilMs - performance.now())));
  }

  /** Has channels served whose time has come; ends those whose clients do not read their last answers. */
  #callOverdue(nowMs: number): void {
    for (const channel of this.#channels) {
      if (channel.deadlineMs <= nowMs) channel.idleTurns = 0;
    }
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
      this.#forget();
    }
  }

  /** One connection of this thread less. */
  #forget(): void {
    this.#context.shared.removeConnection(this.#context.thread);
    this.#context.onConnectionEnd();
  }
}

function isOver(channel: Channel): boolean {
  return channel.isOver;
}
