/**
 * A connection served without a loop of its own: the test turns the crank.
 *
 * @module
 */
import type { Image } from "../../src/image/driver.ts";
import { ImageAccess } from "../../src/disk/image_access.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { Mapping } from "../../src/image/mapping.ts";
import type { Writing } from "../../src/image/writing.ts";
import { Connection } from "../../src/nbd/connection.ts";
import { type Negotiated, Transmission } from "../../src/nbd/transmission.ts";
import { Executor } from "../../src/loop/executor.ts";
import type { WritePolicy } from "../../src/loop/write_policy.ts";
import { SharedState } from "../../src/loop/shared_state.ts";
import { O_RDWR, openFile } from "../../src/sys/files.ts";
import { libc } from "../../src/sys/libc.ts";
import type { Libc } from "../../src/sys/libc_symbols.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { SlowLane } from "../../src/storage/slow_lane.ts";
import { streamPair } from "../../src/sys/sockets.ts";
import { randomNumbers } from "../support/images.ts";
import { turnUntil } from "../support/patience.ts";
import { TempDirectory } from "../support/tools.ts";
import { TestClient } from "./wire.ts";

export interface FakeOptions {
  readonly sizeBytes?: number;
  readonly readOnly?: boolean;
  /** What its file is written with. */
  readonly calls?: Libc;
}

/** What {@link FakeImage.map} does instead of answering, asked before each answer. */
export type Obstacle = (
  guestOffset: number,
  lengthBytes: number,
  mapping: Mapping,
) => boolean;

/** A disk in a temporary file whose driver can be told to be difficult. */
export class FakeImage implements Image {
  readonly sizeBytes: number;
  readonly file: ImageFile;
  /** What a flush makes durable, if the disk is writable. */
  readonly filesToSync: ImageFile[] = [];
  readonly writing: Writing | undefined;
  /** What the disk has to contain. */
  readonly model: Uint8Array;
  /** True if it has filled the mapping itself. */
  obstacle: Obstacle = () => false;
  /** Calls of fallocate(2), as `mode offset length`; all of them succeed, and zero the range. */
  readonly calls: string[] = [];
  canAllocate = true;
  readonly #folder = new TempDirectory();

  constructor({ sizeBytes = 1024 * 1024, readOnly = false, calls = libc() }: FakeOptions = {}) {
    this.sizeBytes = sizeBytes;
    this.model = seededBytes(sizeBytes, 7);
    const path = this.#folder.file("disk");
    Deno.writeFileSync(path, this.model);
    this.file = new ImageFile(openFile(path, O_RDWR), path, { calls });
    this.file.allocate = (mode, offset, lengthBytes) => this.#allocate(mode, offset, lengthBytes);
    const { file, filesToSync } = this;
    filesToSync.push(...(readOnly ? [] : [file]));
    if (readOnly) return;
    this.writing = {
      files: filesToSync,
      writers: "any",
      place: (offset, lengthBytes, placement): void => {
        if (this.obstacle(offset, lengthBytes, new Mapping())) throw new Error("no place");
        placement.setDirect(file, offset, lengthBytes);
      },
    };
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    if (this.obstacle(guestOffset, lengthBytes, mapping)) return;
    mapping.setData(this.file, guestOffset, lengthBytes);
  }

  #allocate(mode: number, offset: number, lengthBytes: number): boolean {
    this.calls.push(`${mode} ${offset} ${lengthBytes}`);
    if (this.canAllocate) this.file.write(new IoBuffer(lengthBytes), 0, offset, lengthBytes);
    return this.canAllocate;
  }

  /** What is in the file now. */
  contents(): Uint8Array {
    return Deno.readFileSync(this.file.path);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** Fills a mapping with "blocked" on a range of a file, as a driver does that may not wait for it. */
export function block(
  mapping: Mapping,
  file: ImageFile,
  hostOffset: number,
  hostBytes: number,
): void {
  mapping.attempt.missing.set(file, hostOffset, hostBytes);
  mapping.attempt.awaited = undefined;
  mapping.setBlocked();
}

/** Bytes that are the same for the same seed. */
export function seededBytes(lengthBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const words = Uint32Array.from({ length: Math.ceil(lengthBytes / 4) }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer, 0, lengthBytes);
}

/** One client and what serves it. */
export interface Served {
  readonly client: TestClient;
  readonly connection: Connection;
  readonly transmission: Transmission;
}

export interface ServedOptions extends FakeOptions {
  readonly blind?: boolean;
  readonly lane?: SlowLane;
  readonly writePolicy?: WritePolicy;
}

/** One image and any number of clients, in the test's own thread. */
export class ServedImage implements Disposable {
  readonly image: FakeImage;
  readonly access: ImageAccess;
  readonly shared = new SharedState();
  readonly logged: string[] = [];
  readonly executor: Executor;
  readonly #lane: SlowLane;
  readonly #served: Served[] = [];
  readonly #close: (() => void)[] = [];

  constructor(options: ServedOptions = {}) {
    this.image = new FakeImage(options);
    this.#lane = options.lane ?? new SlowLane(0);
    const { file } = this.image;
    if (options.blind) Object.defineProperty(file, "cacheKnowledge", { value: "unknown" });
    const window = { offsetBytes: 0, sizeLimitBytes: 0 };
    this.access = new ImageAccess(this.image, [file], window);
    this.executor = new Executor({
      access: this.access,
      lane: this.#lane,
      shared: this.shared,
      thread: 0,
      log: { error: (message) => this.logged.push(message) },
      ...(options.writePolicy === undefined ? {} : { writePolicy: options.writePolicy }),
    });
  }

  /** Connects one more client, with what it has asked for in the handshake. */
  connect(negotiated?: Negotiated): Served {
    const [ours, theirs] = streamPair();
    this.#close.push(() => ours.close(), () => theirs.close());
    const connection = new Connection(ours.number);
    const transmission = new Transmission(connection, this.executor);
    if (negotiated !== undefined) transmission.negotiated(negotiated);
    const served = { client: new TestClient(theirs.number), connection, transmission };
    this.#served.push(served);
    return served;
  }

  /** One turn as the serve loop makes it; whether anything happened. */
  turn(): boolean {
    let busy = false;
    for (const { client, connection, transmission } of this.#served) {
      if (client.move()) busy = true;
      if (connection.broken) continue;
      if (connection.hasUnsent && !connection.send()) continue;
      if (!connection.finishing && connection.receive()) busy = true;
      if (!connection.finishing) transmission.serve();
      connection.send();
    }
    this.executor.reap();
    if (this.executor.goOn()) busy = true;
    if (this.executor.takeFreed()) busy = true;
    for (const { connection } of this.#served) connection.starved = false;
    if (this.executor.resumeReady()) busy = true;
    for (const { connection } of this.#served) connection.send();
    return busy;
  }

  /** Turns until nothing happens any more. */
  settle(): void {
    let quiet = 0;
    turnUntil(() => {
      quiet = this.turn() || this.executor.busy ? 0 : quiet + 1;
      return quiet === 3;
    }, "all to come to rest");
  }

  [Symbol.dispose](): void {
    this.image.obstacle = () => false;
    this.settle();
    for (const close of this.#close) close();
    this.#lane[Symbol.dispose]();
    this.access[Symbol.dispose]();
  }
}
