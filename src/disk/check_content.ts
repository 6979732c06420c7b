/**
 * Checking an image whose disk has checksums: all of it is read.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../image/checking.ts";
import type { ContentStep } from "../image/content_steps.ts";
import { UnsupportedFeatureError } from "../image/errors.ts";
import { IoBuffer } from "../sys/memory.ts";
import { reasonOf } from "../sys/reason.ts";
import { Chain, type Layer } from "./chain.ts";
import type { ImageAccess } from "./image_access.ts";
import type { InspectOptions } from "./inspect.ts";
import { openImage } from "./open.ts";
import { openImageFile } from "./open_file.ts";
import { ReadRequest } from "./reader.ts";
import { RunningSums } from "./running_sums.ts";

/** So much is read at once; what of it cannot be read is one fault. */
const STEP_BYTES = 64 * 1024;
/** Checksums of the same bytes again and again are no check, but take as long as somebody wants. */
const MOST_TIMES_READ = 2;
/** Each of so many faults is told. */
const MAX_TOLD = 100;

/**
 * @throws {Error} as {@link openImage} and {@link FormatDriver.contentSteps}
 * @throws {UnsupportedFeatureError} if something shall be repaired
 * @throws {RangeError} if there are checksums of far more than the disk
 */
export function checkContent(
  layer: Layer,
  { request, ignoreLocks }: InspectOptions,
  options: CheckOptions,
): CheckResult {
  const { file, driver } = layer;
  if (options.repair !== "none") {
    throw new UnsupportedFeatureError(driver.name, file.path, "a repair");
  }
  using chain = new Chain(layer, { request, ignoreLocks });
  const wanted = { ...request, format: driver.name, readOnly: true };
  const again = openImageFile(file.path, { readOnly: true }).file;
  using access = opened(() => openImage(again, wanted, { ignoreLocks }), again);
  const check = new ContentCheck(access, options);
  for (const step of driver.contentSteps?.(file, chain) ?? []) check.take(step);
  return {
    corruptions: check.faults,
    leaks: 0,
    corruptionsFixed: 0,
    leaksFixed: 0,
    imageEndOffset: 0,
    totalClusters: 0,
    allocatedClusters: 0,
    fragmentedClusters: 0,
    compressedClusters: 0,
  };
}

function opened(open: () => ImageAccess, file: Disposable): ImageAccess {
  try {
    return open();
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

class ContentCheck {
  readonly #access: ImageAccess;
  readonly #options: CheckOptions;
  readonly #buffer = new IoBuffer(STEP_BYTES);
  #sums = new RunningSums([]);
  /** Whether all that belongs to the sums could be read. */
  #isWhole = true;
  #readBytes = 0;
  #faults = 0;

  constructor(access: ImageAccess, options: CheckOptions) {
    this.#access = access;
    this.#options = options;
  }

  get faults(): number {
    return this.#faults;
  }

  take(step: ContentStep): void {
    switch (step.kind) {
      case "begin":
        this.#sums = new RunningSums(step.methods);
        this.#isWhole = true;
        return;
      case "read":
        return this.#read(step.guestOffset, step.guestOffset + step.lengthBytes);
      case "compare":
        return this.#compare(step);
    }
  }

  #read(start: number, end: number): void {
    const { sizeBytes } = this.#access;
    for (let at = start; at < end; at += STEP_BYTES) {
      const lengthBytes = Math.min(STEP_BYTES, end - at);
      this.#readBytes += lengthBytes;
      if (this.#readBytes > MOST_TIMES_READ * sizeBytes) {
        throw new RangeError("there are checksums of far more than the disk");
      }
      if (this.#isRead(at, lengthBytes)) {
        this.#sums.add(this.#buffer.bytes.subarray(0, lengthBytes));
      }
      this.#options.progress?.(Math.min(1, (at + lengthBytes) / sizeBytes));
    }
  }

  #isRead(guestOffset: number, lengthBytes: number): boolean {
    try {
      const request = new ReadRequest().ask(guestOffset, lengthBytes).into(this.#buffer, 0);
      if (this.#access.read(request)) return true;
      throw new Error("it has not come");
    } catch (error) {
      const place = `0x${guestOffset.toString(16)}`;
      this.#report(`${lengthBytes} bytes at ${place} cannot be read: ${reasonOf(error)}`);
      this.#isWhole = false;
      return false;
    }
  }

  #compare({ method, expected, name }: Extract<ContentStep, { kind: "compare" }>): void {
    const found = this.#sums.digitsOf(method);
    if (!this.#isWhole || found === expected) return;
    this.#report(`the ${method.toUpperCase()} of ${name} is ${found}, and should be ${expected}`);
  }

  #report(fault: string): void {
    this.#faults++;
    if (this.#faults <= MAX_TOLD) this.#options.report(fault);
  }
}
