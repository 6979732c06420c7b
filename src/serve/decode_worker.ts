/**
 * Entry of a thread that decompresses for the serving one. It ends when there is nothing to do for a
 * while, for it costs memory.
 *
 * @module
 */
import { createDecompressor } from "../codec/create.ts";
import type { Decompressor } from "../codec/decompressor.ts";
import type { CompressionMethod } from "../image/decoding.ts";
import { libc } from "../sys/libc.ts";
import { bytesAt, IoBuffer } from "../sys/memory.ts";
import { forgetStartupPages } from "../sys/startup_memory.ts";
import {
  type DecodeStart,
  DecodeTable,
  JobField,
  JobState,
  MAX_DECODE_JOBS,
} from "./decode_table.ts";

/** Memory of the serving thread, seen from here; what is seen is kept, for it mostly stays the same. */
class ForeignBytes {
  #address = -1;
  #bytes: Uint8Array = new Uint8Array();

  /** `count` bytes at `address`, which is where one buffer begins that may be longer. */
  at(address: number, count: number): Uint8Array {
    if (address !== this.#address || count > this.#bytes.length) {
      this.#address = address;
      this.#bytes = bytesAt(address, count);
    }
    return count === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, count);
  }
}

class DecodeWorker {
  readonly #table: DecodeTable;
  readonly #wakeFd: number;
  readonly #byte = new IoBuffer(1);
  readonly #decompressors = new Map<CompressionMethod, Decompressor>();

  readonly #inputs = Array.from({ length: MAX_DECODE_JOBS }, () => new ForeignBytes());
  readonly #outputs = Array.from({ length: MAX_DECODE_JOBS }, () => new ForeignBytes());
  readonly #patienceMs: number;

  constructor({ sharedMemory, wakeFd, patienceMs }: DecodeStart) {
    this.#table = new DecodeTable(sharedMemory);
    this.#wakeFd = wakeFd;
    this.#patienceMs = patienceMs;
  }

  run(): void {
    this.#table.arrive();
    for (;;) {
      const queued = this.#table.queued;
      if (this.#takeJobs() || this.#table.waitForJob(queued, this.#patienceMs)) continue;
      this.#table.addThreads(-1);
      // A job that has come in that moment was left to this thread.
      if (this.#table.queued === queued) return;
      this.#table.addThreads(1);
    }
  }

  #takeJobs(): boolean {
    let any = false;
    for (let job = 0; job < MAX_DECODE_JOBS; job++) {
      if (!this.#table.move(job, JobState.Queued, JobState.Running)) continue;
      const succeeded = this.#succeedsWith(job);
      this.#table.set(job, JobField.State, succeeded ? JobState.Done : JobState.Failed);
      if (this.#table.isSleeping) libc().write(this.#wakeFd, this.#byte.address, 1);
      any = true;
    }
    return any;
  }

  /** Whatever goes wrong here, the serving thread tries itself, and can say what it was. */
  #succeedsWith(job: number): boolean {
    try {
      return this.#decode(job);
    } catch {
      return false;
    }
  }

  #decode(job: number): boolean {
    const table = this.#table;
    const input = this.#inputs[job]?.at(
      address(table.get(job, JobField.InputLow), table.get(job, JobField.InputHigh)),
      table.get(job, JobField.StoredBytes),
    );
    const output = this.#outputs[job]?.at(
      address(table.get(job, JobField.OutputLow), table.get(job, JobField.OutputHigh)),
      table.get(job, JobField.DecodedBytes),
    );
    if (input === undefined || output === undefined) return false;
    const method = table.get(job, JobField.Method) as CompressionMethod;
    const leastBytes = table.get(job, JobField.LeastBytes);
    return this.#decompressor(method).decompress(input, output, leastBytes);
  }

  #decompressor(method: CompressionMethod): Decompressor {
    const known = this.#decompressors.get(method);
    if (known !== undefined) return known;
    const created = createDecompressor(method);
    this.#decompressors.set(method, created);
    return created;
  }
}

function address(low: number, high: number): number {
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<DecodeStart>) => void;
  close(): void;
};
scope.onmessage = (event) => {
  const worker = new DecodeWorker(event.data);
  forgetStartupPages();
  worker.run();
  scope.close();
};
