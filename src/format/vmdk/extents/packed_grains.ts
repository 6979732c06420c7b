/**
 * Grains that are stored compressed, each behind a marker that says which one it is, and how long.
 *
 * @module
 */
import { CompressionMethod, type Packing } from "../../../image/decoding.ts";
import type { Mapping } from "../../../image/mapping.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged, unsupported } from "../errors.ts";
import { GRAIN_MARKER_BYTES, MARKER, MAX_PACKED_GRAIN_BYTES, SECTOR_BYTES } from "../layout.ts";
import type { ExtentHeader } from "./kind.ts";

/** A grain that compression makes larger is not twice as large. */
const MAX_EXPANSION = 2;
/** So many markers are remembered: what was read of them last. A power of two. */
const REMEMBERED = 256;
const NONE = -1;

export class PackedGrains {
  readonly packing: Packing;
  readonly #file: ImageFile;
  readonly #header: Pick<ExtentHeader, "grainBytes" | "sizeBytes">;
  readonly #marker = new IoBuffer(GRAIN_MARKER_BYTES);
  /** Numbers of grains, and how many bytes each is when stored. */
  readonly #known = new Float64Array(REMEMBERED).fill(NONE);
  readonly #storedBytes = new Uint32Array(REMEMBERED);

  /** @throws {UnsupportedFeatureError} if grains are too large */
  constructor(file: ImageFile, header: Pick<ExtentHeader, "grainBytes" | "sizeBytes">) {
    const { grainBytes } = header;
    if (grainBytes > MAX_PACKED_GRAIN_BYTES) {
      throw unsupported(file.path, `compressed grains of ${grainBytes} bytes`);
    }
    this.packing = { maxPieceBytes: grainBytes, methods: [CompressionMethod.Zlib] };
    this.#file = file;
    this.#header = header;
  }

  /**
   * Says where the bytes from `guestOffset` on are, of a grain whose marker is at `hostOffset`. The last
   * grain may be stored only as far as the disk goes.
   *
   * @throws {ImageFormatError} if it is the marker of another grain, or not all of it is in the file
   * @throws {SystemError} if it cannot be read
   */
  setPacked(hostOffset: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { grainBytes, sizeBytes } = this.#header;
    const grain = Math.floor(guestOffset / grainBytes);
    const storedBytes = this.#sizeOf(grain, hostOffset, mapping);
    if (storedBytes === NONE) return;
    const start = grain * grainBytes;
    const runBytes = Math.min(lengthBytes, start + grainBytes - guestOffset);
    mapping.method = CompressionMethod.Zlib;
    mapping.setPacked(this.#file, hostOffset + GRAIN_MARKER_BYTES, storedBytes);
    mapping.setPiece(start, grainBytes, runBytes);
    mapping.leastBytes = Math.min(grainBytes, sizeBytes - start);
  }

  #sizeOf(grain: number, hostOffset: number, mapping: Mapping): number {
    const slot = grain & REMEMBERED - 1;
    if (this.#known[slot] === grain) return this.#storedBytes[slot] ?? 0;
    if (!mapping.attempt.read(this.#file, this.#marker, 0, hostOffset, GRAIN_MARKER_BYTES)) {
      mapping.setBlocked();
      return NONE;
    }
    const { view } = this.#marker;
    const { value, size } = MARKER.offsets;
    const sector = view.getUint32(value, true) + view.getUint32(value + 4, true) * 2 ** 32;
    const storedBytes = view.getUint32(size, true);
    this.#check(grain, hostOffset, { sector, storedBytes });
    this.#known[slot] = grain;
    this.#storedBytes[slot] = storedBytes;
    return storedBytes;
  }

  #check(
    grain: number,
    hostOffset: number,
    { sector, storedBytes }: { readonly sector: number; readonly storedBytes: number },
  ): void {
    const { grainBytes } = this.#header;
    if (sector * SECTOR_BYTES !== grain * grainBytes) {
      this.#refuse(grain, hostOffset, "has the marker of another one");
    }
    if (storedBytes === 0 || storedBytes > MAX_EXPANSION * grainBytes) {
      this.#refuse(grain, hostOffset, `cannot have ${storedBytes} bytes`);
    }
    if (hostOffset + GRAIN_MARKER_BYTES + storedBytes > this.#file.sizeBytes) {
      this.#refuse(grain, hostOffset, "is not all in the file");
    }
  }

  #refuse(grain: number, hostOffset: number, message: string): never {
    const at = `0x${hostOffset.toString(16)}`;
    throw damaged(this.#file.path, `the grain ${grain} at ${at} ${message}`, hostOffset);
  }

  /** Forgets what was read. */
  clear(): void {
    this.#known.fill(NONE);
  }
}
