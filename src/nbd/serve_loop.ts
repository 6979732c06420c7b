/**
 * The loop of one thread: serves all its connections, and sleeps when there is nothing to do.
 *
 *     turn: receive → take requests → answer what the slow lane finished → send
 *       └─ nothing came? spin a little, then poll() all sockets and sources
 *
 * @module
 */
import type { ImageAccess } from "../image/image_access.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, PollSet } from "../sys/poll.ts";
import { completionSignal, SignalReader } from "../sys/signals.ts";
import { SlowLane } from "../sys/slow_lane.ts";
import { Connection } from "./connection.ts";
import { describeExport, type ExportDescription } from "./export.ts";
import { Handshake } from "./handshake.ts";
import type { SharedState } from "./shared_state.ts";
import { SpinPolicy } from "./spin.ts";
import { type ErrorLog, Transmission } from "./transmission.ts";

/** Turns after which sources get a look even if traffic never lets the thread sleep. */
const TURNS_BETWEEN_POLLS = 256;

/** Turns without input after which a connection is only looked at when poll() names it. */
const IDLE_TURNS = 2000;

/** A descriptor other than a connection that the loop watches. */
export interface Source {
  readonly fd: number;
  onReadable(): void;
}

export interface LoopContext {
  readonly access: ImageAccess;
  readonly shared: SharedState;
  readonly log: ErrorLog;
  /** Number of this thread; 0 is the main one. */
  readonly thread: number;
  readonly maySpin: boolean;
  /** Called when a connection has ended. */
  readonly onConnectionEnd: () => void;
}

export class ServeLoop {
  readonly description: ExportDescription;
  readonly #context: LoopContext;
  readonly #completions: SignalReader;
  readonly #lane: SlowLane;
  readonly #transmission: Transmission;
  readonly #spin: SpinPolicy;
  readonly #sources: Source[] = [];
  readonly #poll = new PollSet();
  #connections: Connection[] = [];
  #stopped = false;

  constructor(context: LoopContext) {
    this.#context = context;
    this.description = describeExport(context.access);
    const signal = completionSignal(context.thread);
    this.#completions = new SignalReader([signal]);
    this.#lane = new SlowLane(signal);
    this.#transmission = new Transmission({ ...context, lane: this.#lane });
    this.#spin = new SpinPolicy(context.maySpin);
    const drain = (): void => {
      while (this.#completions.next() !== 0);
    };
    this.addSource({ fd: this.#completions.fd, onReadable: drain });
  }

  /** Connections this thread serves now. */
  get connectionCount(): number {
    return this.#connections.length;
  }

  addSource(source: Source): void {
    this.#sources.push(source);
  }

  removeSource(fd: number): void {
    const at = this.#sources.findIndex((source) => source.fd === fd);
    if (at >= 0) this.#sources.splice(at, 1);
  }

  /** Serves a socket that is already in the transmission phase: the kernel's. */
  addKernelSocket(fd: number): void {
    this.#connections.push(new Connection(fd));
  }

  /** Serves a client that has just connected, beginning with the handshake. */
  addClient(fd: number): void {
    const connection = new Connection(fd, new Handshake(this.description));
    this.#connections.push(connection);
    connection.push(Handshake.greeting());
    connection.send();
  }

  /** Ends all connections: what has been taken is answered, then the sockets are closed. */
  finishConnections(): void {
    for (const connection of this.#connections) connection.finishing = true;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Serves until {@link ServeLoop.stop} is called. */
  run(): void {
    let fruitless = 0;
    let turns = 0;
    while (!this.#stopped) {
      if (this.#turn()) {
        if (fruitless > 0) this.#spin.succeeded();
        fruitless = 0;
        if (++turns % TURNS_BETWEEN_POLLS === 0) this.#pollOnce(0);
      } else if (fruitless < this.#spin.turns && this.#startSpinning()) {
        fruitless++;
      } else {
        if (fruitless > 0) this.#spin.gaveUp();
        this.#sleep();
        fruitless = 0;
      }
    }
  }

  #startSpinning(): boolean {
    return this.#context.shared.startSpinning(this.#context.thread);
  }

  #sleep(): void {
    this.#context.shared.stopSpinning(this.#context.thread);
    this.#spin.fallsAsleep(performance.now());
    this.#pollOnce(-1);
    this.#spin.wokenUp(performance.now());
  }

  /** Serves every connection once; whether any of them had something. */
  #turn(): boolean {
    let busy = false;
    for (const connection of this.#connections) {
      if (this.#serve(connection)) busy = true;
    }
    if (this.#lane.busy) this.#lane.reap();
    if (this.#transmission.answerReady()) {
      busy = true;
      for (const connection of this.#connections) connection.send();
    }
    this.#removeEnded();
    return busy;
  }

  #serve(connection: Connection): boolean {
    if (connection.idleTurns > IDLE_TURNS) return false;
    // A client that does not read its replies gets no more of them.
    if (connection.hasUnsent && !connection.send()) return false;
    if (connection.finishing) return false;
    const received = connection.receive();
    const pending = connection.pendingInput;
    if (connection.handshake !== undefined) this.#shakeHands(connection, connection.handshake);
    if (connection.handshake === undefined) this.#transmission.serve(connection);
    if (connection.hasUnsent) connection.send();
    const progress = received || connection.pendingInput !== pending;
    connection.idleTurns = progress ? 0 : connection.idleTurns + 1;
    return progress;
  }

  #shakeHands(connection: Connection, handshake: Handshake): void {
    const { input, inputStart, inputEnd } = connection;
    const reply = (bytes: Uint8Array): void => connection.push(bytes);
    const next = handshake.advance(input, inputStart, inputEnd, reply);
    connection.take(next - inputStart);
    if (handshake.state === "transmission") connection.handshake = undefined;
    if (handshake.state === "closed") connection.finishing = true;
  }

  #removeEnded(): void {
    if (!this.#connections.some(isOver)) return;
    const ended = this.#connections.filter(isOver);
    this.#connections = this.#connections.filter((connection) => !isOver(connection));
    for (const connection of ended) {
      connection.broken = true;
      connection.close();
      this.#context.shared.removeConnection(this.#context.thread);
      this.#context.onConnectionEnd();
    }
  }

  /** Waits for sockets and sources, and lets the sources do their work. */
  #pollOnce(timeoutMs: number): void {
    this.#poll.clear();
    for (const source of this.#sources) this.#poll.add(source.fd, POLLIN);
    for (const connection of this.#connections) this.#addToPoll(connection);
    if (this.#poll.wait(timeoutMs) <= 0) return;
    this.#connections.forEach((connection, index) => {
      if (this.#poll.events(this.#sources.length + index) !== 0) connection.idleTurns = 0;
    });
    // Working on one source may add or remove others.
    const readable = this.#sources.filter((_, place) =>
      (this.#poll.events(place) & (POLLIN | POLLHUP | POLLERR)) !== 0
    );
    for (const source of readable) source.onReadable();
  }

  #addToPoll(connection: Connection): void {
    if (connection.hasUnsent) this.#poll.add(connection.fd, POLLOUT);
    else this.#poll.add(connection.takesInput ? connection.fd : PollSet.NOTHING, POLLIN);
  }
}

function isOver(connection: Connection): boolean {
  return connection.isOver;
}
