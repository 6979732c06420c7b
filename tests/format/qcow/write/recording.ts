/**
 * Image files that remember, in order, everything that is done to them: what of it survives a crash can
 * then be tried out. Any of it can be made to fail.
 *
 * @module
 */
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDWR, openFile } from "../../../../src/sys/files.ts";
import { libc, openLibc } from "../../../../src/sys/libc.ts";
import type { Libc } from "../../../../src/sys/libc_symbols.ts";
import { bytesAt, failedWith } from "../../../support/faulty_calls.ts";

// It stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Something that was done to a file. */
export type Step =
  | {
    readonly kind: "write";
    readonly file: number;
    readonly offset: number;
    readonly bytes: Uint8Array;
  }
  | {
    readonly kind: "punch";
    readonly file: number;
    readonly offset: number;
    readonly length: number;
  }
  | { readonly kind: "size"; readonly file: number; readonly sizeBytes: number };

/** What may fail. */
export type FallibleCall = "pread" | "pwrite" | "fallocate" | "ftruncate" | "fdatasync";

/** Asked before each call, of something at `offset`; the error number it fails with, or 0. */
export type Fault = (call: FallibleCall, offset: number) => number;

/** A sync, which covers the steps of a file before `began`, once `ended` steps had been made. */
export interface Sync {
  readonly file: number;
  readonly began: number;
  readonly ended: number;
}

export class Recording {
  readonly steps: Step[] = [];
  readonly syncs: Sync[] = [];
  fault: Fault = () => 0;
  readonly #files: ImageFile[] = [];
  #watched: WatchedMemory | undefined;

  /** Opens a file for writing; steps name it by the order in which files are opened. */
  open(path: string): ImageFile {
    const calls = this.#calls(this.#files.length);
    const file = new ImageFile(openFile(path, O_RDWR), path, { calls });
    this.#files.push(file);
    return file;
  }

  /**
   * Watches memory that outlives the process: as a file, the next one after those that are open, which is
   * written to before whatever is done next, and is always durable.
   */
  watch(memory: Uint8Array): void {
    this.#watched = new WatchedMemory(memory, this.#files.length);
  }

  /** Takes notice of what has been stored in memory since. */
  look(): void {
    this.steps.push(...this.#watched?.changes() ?? []);
  }

  #add(step: Step): void {
    this.look();
    this.steps.push(step);
  }

  /** Closes the files, which mostly who has been given them does. */
  close(): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }

  /** Files are synced, as they are now, when what this returns is called. */
  beginSync(files: readonly ImageFile[]): () => void {
    const began = this.steps.length;
    return () => {
      for (const file of files) this.endSync(file, began);
    };
  }

  /** Ends a sync of what had been done when there were `began` steps; the error number, or 0. */
  endSync(file: ImageFile, began: number): number {
    return this.#sync(this.#files.indexOf(file), began);
  }

  #sync(file: number, began: number): number {
    const errno = this.fault("fdatasync", 0);
    this.look();
    const ended = this.steps.length;
    if (errno === 0) this.syncs.push({ file, began, ended });
    const memory = this.#watched?.file;
    if (memory !== undefined) this.syncs.push({ file: memory, began: ended, ended });
    return errno;
  }

  /** What file number `file` is written with. */
  #calls(file: number): Libc {
    let errnoOfRest = 0;
    const pread: Libc["pread"] = (fd, address, count, offset) => {
      const errno = this.fault("pread", Number(offset));
      return errno === 0 ? libc().pread(fd, address, count, offset) : failedWith(errno);
    };
    const pwrite: Libc["pwrite"] = (fd, address, count, offset) => {
      const errno = errnoOfRest || this.fault("pwrite", Number(offset));
      // It does not fail before the first half is written, if there is one.
      const half = Math.floor(count / 2 / SECTOR_BYTES) * SECTOR_BYTES;
      const isHalf = errno !== 0 && errnoOfRest === 0 && half > 0;
      errnoOfRest = isHalf ? errno : 0;
      if (errno !== 0 && !isHalf) return failedWith(errno);
      const done = libc().pwrite(fd, address, isHalf ? half : count, offset);
      const bytes = bytesAt(Number(address), done);
      this.#add({ kind: "write", file, offset: Number(offset), bytes });
      return done;
    };
    const fallocate: Libc["fallocate"] = (fd, mode, offset, length) => {
      const errno = this.fault("fallocate", Number(offset));
      if (errno !== 0) return failedWith(errno);
      const step = { kind: "punch", file, offset: Number(offset), length: Number(length) } as const;
      this.#add(step);
      return libc().fallocate(fd, mode, offset, length);
    };
    const ftruncate: Libc["ftruncate"] = (fd, length) => {
      const errno = this.fault("ftruncate", Number(length));
      if (errno !== 0) return failedWith(errno);
      this.#add({ kind: "size", file, sizeBytes: Number(length) });
      return libc().ftruncate(fd, length);
    };
    const fdatasync: Libc["fdatasync"] = () => {
      const errno = this.#sync(file, this.steps.length);
      return errno === 0 ? 0 : failedWith(errno);
    };
    return { ...libc(), pread, pwrite, fallocate, ftruncate, fdatasync };
  }
}

const SECTOR_BYTES = 512;
/** What is stored in it is found out by such pieces. */
const LINE_BYTES = 64;

/** Memory, and what it was when it was looked at last. */
class WatchedMemory {
  readonly file: number;
  readonly #memory: Uint8Array;
  readonly #known: Uint8Array;

  constructor(memory: Uint8Array, file: number) {
    this.#memory = memory;
    this.#known = memory.slice();
    this.file = file;
  }

  /** What has been stored since, the first line last: that says how much of the rest counts. */
  changes(): Step[] {
    const steps: Step[] = [];
    for (let offset = 0; offset < this.#memory.length; offset += LINE_BYTES) {
      const bytes = this.#memory.slice(offset, offset + LINE_BYTES);
      if (!bytes.some((byte, at) => byte !== this.#known[offset + at])) continue;
      this.#known.set(bytes, offset);
      steps.push({ kind: "write", file: this.file, offset, bytes });
    }
    if (steps[0]?.kind === "write" && steps[0].offset === 0) steps.push(...steps.splice(0, 1));
    return steps;
  }
}
