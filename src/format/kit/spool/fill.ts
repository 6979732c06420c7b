/**
 * Filling a spool with what a compressed file has.
 *
 * @module
 */
import { createStreamDecoder } from "../../../codec/streams/create.ts";
import {
  type Step,
  type StreamDecoder,
  StreamError,
} from "../../../codec/streams/stream_decoder.ts";
import type { FillJob } from "../../../image/arriving.ts";
import { ImageFormatError, RelatedFileError } from "../../../image/errors.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { SPOOL_ADVICE, SPOOL_STEP_BYTES, type SpoolFile } from "../../../storage/spool_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { reasonOf } from "../../../sys/reason.ts";
import { StoredInput } from "./stored_input.ts";
import { writeWithoutZeros } from "./write_without_zeros.ts";

/** What is decompressed, and where it goes to. */
export interface FillFiles {
  readonly source: ImageFile;
  readonly spool: SpoolFile;
}

/**
 * Fills a spool, which is complete then, or has failed.
 *
 * @param onStep told how many bytes of the source have been taken, now and then
 * @returns how many bytes it has
 * @throws {ImageFormatError} if the source is damaged, or has more or less than it should
 * @throws {SystemError} if the source cannot be read
 * @throws {RelatedFileError} if the spool cannot be written
 */
export function fillSpool(
  job: FillJob,
  files: FillFiles,
  onStep: (takenBytes: number) => void = () => {},
): number {
  try {
    using filler = new Filler(job, files);
    const filledBytes = filler.run(onStep);
    files.spool.end("complete");
    return filledBytes;
  } catch (error) {
    files.spool.end("failed");
    throw error;
  }
}

class Filler implements Disposable {
  readonly #job: FillJob;
  readonly #files: FillFiles;
  readonly #decoder: StreamDecoder;
  readonly #input: StoredInput;
  readonly #buffer = new IoBuffer(SPOOL_STEP_BYTES);
  /** Bytes that have been written, and those that follow them, in the buffer. */
  #writtenBytes = 0;
  #heldBytes = 0;

  constructor(job: FillJob, files: FillFiles) {
    this.#job = job;
    this.#files = files;
    this.#decoder = createStreamDecoder(job.kind);
    this.#input = new StoredInput(files.source);
  }

  run(onStep: (takenBytes: number) => void): number {
    const { sizeBytes = Infinity, limitBytes = Infinity } = this.#job;
    for (let isOver = false; !isOver && this.#bytes < limitBytes;) {
      isOver = this.#decode();
      if (this.#bytes > sizeBytes) throw this.#fault(`it has more than ${sizeBytes} bytes`);
      if (this.#heldBytes < this.#buffer.size) continue;
      this.#write();
      this.#files.spool.advance();
      onStep(this.#input.takenBytes);
    }
    this.#write();
    const bytes = Math.min(this.#bytes, limitBytes);
    if (this.#job.sizeBytes !== undefined && bytes < Math.min(sizeBytes, limitBytes)) {
      throw this.#fault(`it has ${bytes} bytes, not ${sizeBytes}`);
    }
    return bytes;
  }

  /** How many bytes have been decompressed. */
  get #bytes(): number {
    return this.#writtenBytes + this.#heldBytes;
  }

  /** One step; whether it was the last. */
  #decode(): boolean {
    const { size } = this.#buffer;
    const output = {
      buffer: this.#buffer,
      start: this.#heldBytes,
      lengthBytes: size - this.#heldBytes,
    };
    const { span, isLast } = this.#input.ask();
    const step = this.#told(() => this.#decoder.decode(span, output, isLast));
    this.#input.take(step.takenBytes);
    this.#heldBytes += step.filledBytes;
    return step.isOver;
  }

  #told(decode: () => Step): Step {
    try {
      return decode();
    } catch (error) {
      throw error instanceof StreamError ? this.#fault(error.message) : error;
    }
  }

  #fault(what: string): ImageFormatError {
    const { path } = this.#files.source;
    const at = this.#input.takenBytes;
    const message = `it cannot be decompressed behind 0x${at.toString(16)}: ${what}`;
    return new ImageFormatError(this.#job.format, path, message, at);
  }

  #write(): void {
    const { spool } = this.#files;
    try {
      writeWithoutZeros(spool, this.#buffer, this.#writtenBytes, this.#heldBytes);
    } catch (error) {
      const message = `${spool.path}: ${reasonOf(error)}${SPOOL_ADVICE}`;
      throw new RelatedFileError(spool.path, message, { cause: error });
    }
    this.#writtenBytes += this.#heldBytes;
    this.#heldBytes = 0;
  }

  [Symbol.dispose](): void {
    this.#decoder[Symbol.dispose]();
  }
}
