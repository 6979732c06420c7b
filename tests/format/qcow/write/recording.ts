/**
 * Image files that remember, in order, everything that is done to them: what of it survives a crash can
 * then be tried out.
 *
 * @module
 */
import { ImageFile } from "../../../../src/storage/image_file.ts";
import type { IoBuffer } from "../../../../src/sys/memory.ts";
import { O_RDWR, openFile } from "../../../../src/sys/files.ts";

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

/** A sync, which covers the steps of a file before `began`, once `ended` steps had been made. */
export interface Sync {
  readonly file: number;
  readonly began: number;
  readonly ended: number;
}

export class Recording {
  readonly steps: Step[] = [];
  readonly syncs: Sync[] = [];
  readonly #files: RecordedFile[] = [];

  /** Opens a file for writing; steps name it by the order in which files are opened. */
  open(path: string): RecordedFile {
    const file = new RecordedFile(path, this, this.#files.length);
    this.#files.push(file);
    return file;
  }

  /** Closes the files, which mostly who has been given them does. */
  close(): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }

  /** Files are synced, as they are now, when what this returns is called. */
  beginSync(files: readonly ImageFile[]): () => void {
    const began = this.steps.length;
    return () => {
      for (const file of files) {
        const number = this.#files.indexOf(file as RecordedFile);
        this.syncs.push({ file: number, began, ended: this.steps.length });
      }
    };
  }
}

export class RecordedFile extends ImageFile {
  readonly #recording: Recording;
  readonly #number: number;

  constructor(path: string, recording: Recording, number: number) {
    super(openFile(path, O_RDWR), path);
    this.#recording = recording;
    this.#number = number;
  }

  override write(
    source: IoBuffer,
    position: number,
    hostOffset: number,
    lengthBytes: number,
  ): void {
    super.write(source, position, hostOffset, lengthBytes);
    const bytes = source.bytes.slice(position, position + lengthBytes);
    this.#add({ kind: "write", file: this.#number, offset: hostOffset, bytes });
  }

  override allocate(mode: number, hostOffset: number, lengthBytes: number): boolean {
    if (!super.allocate(mode, hostOffset, lengthBytes)) return false;
    this.#add({ kind: "punch", file: this.#number, offset: hostOffset, length: lengthBytes });
    return true;
  }

  override setSize(sizeBytes: number): void {
    super.setSize(sizeBytes);
    this.#add({ kind: "size", file: this.#number, sizeBytes });
  }

  override sync(): void {
    super.sync();
    this.#recording.beginSync([this])();
  }

  #add(step: Step): void {
    this.#recording.steps.push(step);
  }
}

const SECTOR_BYTES = 512;

/** The bytes of a file, as steps make them. */
export class FileState {
  #bytes: Uint8Array<ArrayBuffer>;
  #sizeBytes: number;

  constructor(original: Uint8Array) {
    this.#sizeBytes = original.length;
    this.#bytes = new Uint8Array(original.length);
    this.#bytes.set(original);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#sizeBytes);
  }

  copy(): FileState {
    return new FileState(this.bytes);
  }

  /** @param sectors only the first of them, if it is a write */
  apply(step: Step, sectors = Infinity): void {
    switch (step.kind) {
      case "write": {
        const bytes = step.bytes.subarray(0, Math.min(step.bytes.length, sectors * SECTOR_BYTES));
        this.#grow(step.offset + bytes.length);
        this.#bytes.set(bytes, step.offset);
        return;
      }
      case "punch":
        this.#bytes.fill(0, step.offset, Math.min(step.offset + step.length, this.#sizeBytes));
        return;
      case "size":
        if (step.sizeBytes < this.#sizeBytes) this.#bytes.fill(0, step.sizeBytes);
        this.#sizeBytes = step.sizeBytes;
        this.#reserve(step.sizeBytes);
    }
  }

  #grow(sizeBytes: number): void {
    if (sizeBytes <= this.#sizeBytes) return;
    this.#sizeBytes = sizeBytes;
    this.#reserve(sizeBytes);
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(sizeBytes);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
