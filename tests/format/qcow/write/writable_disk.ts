/**
 * An image that is written to without a daemon: each change is made whole, one after the other.
 *
 * @module
 */
import { Change, ChangeKind } from "../../../../src/disk/change.ts";
import type { KeptChanges } from "../../../../src/disk/change_journal.ts";
import { ChangeStep } from "../../../../src/disk/change_step.ts";
import type { ImageAccess } from "../../../../src/disk/image_access.ts";
import { openImage } from "../../../../src/disk/open.ts";
import type { ImageRequest } from "../../../../src/disk/request.ts";
import type { KeyRing } from "../../../../src/image/key_ring.ts";
import { concludeImage } from "../../../../src/loop/conclude.ts";
import { flushAtEnd } from "../../../../src/loop/flush_at_end.ts";
import { SharedState } from "../../../../src/loop/shared_state.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDWR, openFile } from "../../../../src/sys/files.ts";
import { openLibc } from "../../../../src/sys/libc.ts";
import { IoBuffer } from "../../../../src/sys/memory.ts";
import { readDisk } from "../../../support/disk.ts";
import type { ScriptedOp } from "./random_ops.ts";

openLibc();

/** Zeros that are written where tables cannot say them. */
const ZEROS_BYTES = 64 * 1024;

/** What an image is opened with, and what its files are opened as. */
export interface DiskOptions {
  readonly file?: ImageFile;
  /** Its external data file. */
  readonly dataFile?: ImageFile;
  /** Its backing file, to be named only beside a data file. */
  readonly backingPath?: string;
  readonly keys?: KeyRing;
  /** What outlives it of its changes. */
  readonly kept?: KeptChanges;
  readonly request?: Partial<ImageRequest>;
}

export function openForWriting(path: string): ImageFile {
  return new ImageFile(openFile(path, O_RDWR), path);
}

export class WritableDisk implements Disposable {
  readonly access: ImageAccess;
  readonly #shared = new SharedState();
  readonly #change = new Change();
  readonly #zeros = new IoBuffer(ZEROS_BYTES);

  constructor(path: string, options: DiskOptions = {}) {
    const request: ImageRequest = {
      format: "QCOW",
      readOnly: false,
      offsetBytes: 0,
      sizeLimitBytes: 0,
      backingFormat: "RAW",
      allowBacking: ["/"],
      ...options.request,
    };
    const { dataFile, backingPath, keys, kept } = options;
    const backing = backingPath === undefined ? [] : [openForWriting(backingPath)];
    this.access = openImage(options.file ?? openForWriting(path), request, {
      ...(keys === undefined ? {} : { keys }),
      kept,
      ...(dataFile === undefined ? {} : { replay: [dataFile, ...backing] }),
    });
  }

  get sizeBytes(): number {
    return this.access.sizeBytes;
  }

  read(offset: number, lengthBytes: number): Uint8Array {
    // As a daemon does: what has been changed may take all the room there is.
    if (this.access.wantsFlush) this.flush();
    return readDisk(this.access, offset, lengthBytes);
  }

  write(offset: number, bytes: Uint8Array): void {
    const source = new IoBuffer(bytes.length + 3);
    source.bytes.set(bytes, 3);
    this.#make(this.#change.ask(ChangeKind.Write, offset, bytes.length).from(source, 3));
  }

  discard(offset: number, lengthBytes: number): void {
    this.#make(this.#change.ask(ChangeKind.Discard, offset, lengthBytes));
  }

  writeZeros(offset: number, lengthBytes: number, keepAllocated = false): void {
    const change = this.#change.ask(ChangeKind.WriteZeroes, offset, lengthBytes);
    change.keepAllocated = keepAllocated;
    this.#make(change);
  }

  apply(op: ScriptedOp): void {
    switch (op.kind) {
      case "write":
        return this.write(op.offset, op.bytes);
      case "zeros":
        return this.writeZeros(op.offset, op.length, op.keep);
      case "discard":
        return this.discard(op.offset, op.length);
      case "flush":
        if (!this.flush()) throw new Error("not flushed");
        return;
      case "grow":
        return this.access.grow(op.sizeBytes, () => this.flush());
      case "snapshot":
        return this.access.changeSnapshots(op.change, () => this.flush());
    }
  }

  #make(change: Change): void {
    while (change.restBytes > 0) {
      const step = this.#step(change);
      if (step > 0) change.doneBytes += step;
      else if (step === ChangeStep.Blocked && this.access.changeAttempt.wantsFlush) this.flush();
      else throw new Error(`a change that may wait came to ${step}`);
    }
  }

  #step(change: Change): number {
    if (change.kind === ChangeKind.Write) return this.access.write(change);
    const step = this.access.clear(change, 2 ** 30);
    if (step !== ChangeStep.Unable) return step;
    return this.access.writeZeros(change, this.#zeros, ZEROS_BYTES);
  }

  /** Makes durable what has been changed, and frees what that has made free; false if it failed. */
  flush(): boolean {
    const { round } = this.access;
    if (round === undefined) return true;
    const isDurable = flushAtEnd(round, this.#shared);
    if (isDurable) { while (this.access.freeSome()); }
    return isDurable;
  }

  /** As a daemon ends. */
  close(): boolean {
    try {
      return concludeImage(this.access, this.#shared);
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** As a daemon that is killed. */
  [Symbol.dispose](): void {
    this.access[Symbol.dispose]();
  }
}
