/**
 * An open VMDK image: its extents, one behind the other.
 *
 * @module
 */
import type { Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { MappedDisk, Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import { Parts } from "../kit/parts.ts";
import type { SparseExtent } from "./extents/kind.ts";

/** What an image consists of. */
export interface ImageParts {
  readonly parts: readonly MappedDisk[];
  /** Those of them that have tables. */
  readonly extents: readonly SparseExtent[];
  readonly writing: Writing | undefined;
}

export class VmdkImage implements Image {
  readonly sizeBytes: number;
  readonly fileHoles: MappedDisk["fileHoles"];
  readonly packing: Packing | undefined;
  readonly writing: Writing | undefined;
  readonly #disk: MappedDisk;
  readonly #extents: readonly SparseExtent[];

  constructor({ parts, extents, writing }: ImageParts) {
    const [only, ...more] = parts;
    this.#disk = only !== undefined && more.length === 0 ? only : new Parts(parts);
    this.#extents = extents;
    this.writing = writing;
    this.packing = packingOf(extents);
    this.sizeBytes = this.#disk.sizeBytes;
    this.fileHoles = this.#disk.fileHoles;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    this.#disk.map(guestOffset, lengthBytes, mapping);
  }

  dropCaches(): void {
    for (const extent of this.#extents) extent.dropCaches();
  }

  [Symbol.dispose](): void {}
}

/** What is known of all compressed grains; undefined if there are none. */
function packingOf(extents: readonly SparseExtent[]): Packing | undefined {
  const all = extents.flatMap(({ packing }) => packing ?? []);
  if (all.length === 0) return undefined;
  return {
    maxPieceBytes: Math.max(...all.map(({ maxPieceBytes }) => maxPieceBytes)),
    methods: [...new Set(all.flatMap(({ methods }) => methods))],
  };
}
