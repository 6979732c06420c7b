/**
 * An image of compressed clusters every second of which is damaged in one way or another.
 *
 * @module
 */
import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import { HEADER } from "../../../src/format/qcow/layout.ts";
import { randomNumbers } from "../../support/images.ts";
import { must } from "../../support/tools.ts";

export type Method = "zlib" | "zstd";

export const CLUSTER_BYTES = 64 * 1024;
const SECTOR_BYTES = 512;
const MAX_SECTORS = 256;
/** L2 entries: bit 62 for what is compressed; from bit 54 on how many sectors more than one it takes. */
const COMPRESSED = 1n << 62n;
const SECTORS_SHIFT = 54n;
/** Mutated streams besides those that are made on purpose. */
const MUTATED = 20;

/** What is done to a stream: returns the one that is stored instead. */
type Damage = (stream: Uint8Array, content: Uint8Array, random: () => number) => Uint8Array;

const ANY: Readonly<Record<string, Damage>> = {
  "cut in the middle, zeros behind": (stream) => {
    const cut = new Uint8Array(stream.length);
    cut.set(stream.subarray(0, stream.length / 2));
    return cut;
  },
  "cut to a sector": (stream) => stream.slice(0, SECTOR_BYTES - 1),
  "one byte": () => Uint8Array.of(0x2b),
  "zeros": (stream) => new Uint8Array(stream.length),
  "ones": (stream) => new Uint8Array(stream.length).fill(0xff),
  "garbage": (stream, _, random) => Uint8Array.from(stream, () => random() * 256),
  "garbage behind a good beginning": (stream, _, random) =>
    stream.map((byte, at) => at < stream.length / 2 ? byte : random() * 256),
  "garbage behind nearly all": (stream, _, random) =>
    stream.map((byte, at) => at < stream.length - 9 ? byte : random() * 256),
  "the end first": (stream) => stream.toReversed(),
};

const ZLIB: Readonly<Record<string, Damage>> = {
  "too short by half": (_, content) => deflate(content.subarray(0, content.length / 2)),
  "too short by a page": (_, content) => deflate(content.subarray(0, -4096)),
  "too short by some bytes of the last page": (_, content) => deflate(content.subarray(0, -100)),
  "too short by one byte": (_, content) => deflate(content.subarray(0, -1)),
  "of nothing": () => deflate(new Uint8Array()),
  "of more than the cluster": (_, content) => deflate(twice(content)),
  "a bomb of 100 MiB": () => deflate(new Uint8Array(100 * 1024 * 1024).fill(7)),
  "with a header, as zlib has one": (stream) => Uint8Array.of(0x78, 0x9c, ...stream),
  "a block of the reserved type": () => Uint8Array.of(0b111, 1, 2, 3, 4, 5, 6, 7, 8),
  "a stored block of another length than it says": () =>
    Uint8Array.of(0b001, 0x10, 0, 0, 0, 1, 2, 3, 4),
  "a distance before the start": () => Uint8Array.of(0x03, 0x82, 0xff, 0xff, 0xff, 0xff),
};

const ZSTD: Readonly<Record<string, Damage>> = {
  "too short by half": (_, content) => zstd(content.subarray(0, content.length / 2)),
  "too short by a page": (_, content) => zstd(content.subarray(0, -4096)),
  "too short by some bytes of the last page": (_, content) => zstd(content.subarray(0, -100)),
  "too short by one byte": (_, content) => zstd(content.subarray(0, -1)),
  "of nothing": () => zstd(new Uint8Array()),
  "of more than the cluster": (_, content) => zstd(twice(content)),
  "a bomb of 100 MiB": () => zstd(new Uint8Array(100 * 1024 * 1024).fill(7)),
  "with a window of 128 MiB": (_, content) =>
    zstdCompressSync(content, {
      params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
    }),
  "of an unknown size, with a window of 2 MiB": (_, content) => zstdCompressSync(content),
  "a window larger than any": (stream) => Uint8Array.of(...stream.subarray(0, 4), 0, 0xff, 1, 0, 0),
  "two frames": (_, content) =>
    new Uint8Array([...zstd(content.subarray(0, 4096)), ...zstd(content.subarray(4096))]),
  "a frame to be skipped before": (stream) =>
    new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4, ...stream]),
  "another magic number": (stream) => stream.map((byte, at) => at === 0 ? byte ^ 1 : byte),
  "a wrong checksum": (_, content) => {
    const bytes = zstdCompressSync(content, {
      params: { [constants.ZSTD_c_checksumFlag]: 1 },
    });
    return Uint8Array.from(bytes, (byte, at) => at >= bytes.length - 4 ? byte ^ 0xff : byte);
  },
};

function deflate(content: Uint8Array): Uint8Array {
  return deflateRawSync(content, { windowBits: 12 });
}

/** As qemu does it: libzstd is told how much there is, and takes no larger window. */
function zstd(content: Uint8Array): Uint8Array {
  const options = { params: {}, pledgedSrcSize: content.length };
  return zstdCompressSync(content, options);
}

function twice(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length * 2);
  bytes.set(content);
  bytes.set(content, content.length);
  return bytes;
}

/** A cluster of the image. */
export interface Cluster {
  /** What is wrong with it; undefined where all is well. */
  readonly damage: string | undefined;
  /** What has been compressed, or would have been. */
  readonly content: Uint8Array;
}

/** Makes the image at `path`. */
export async function makeDamaged(path: string, method: Method, seed = 5): Promise<Cluster[]> {
  const random = randomNumbers(seed);
  const clusters = planned(method, random);
  const options = `cluster_size=${CLUSTER_BYTES},compression_type=${method}`;
  const sizeBytes = clusters.length * CLUSTER_BYTES;
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, `${sizeBytes}`);
  // Something that is not compressed, for an L2 table to be there.
  await must("qemu-io", "-f", "qcow2", "-c", `write 0 ${CLUSTER_BYTES}`, path);
  using file = Deno.openSync(path, { read: true, write: true });
  const image = new ImageWriter(file);
  clusters.forEach(({ stream }, index) => image.add(index, stream));
  image.end();
  return clusters;
}

type Planned = Cluster & { readonly stream: Uint8Array };

/** Good clusters and damaged ones by turns. */
function planned(method: Method, random: () => number): Planned[] {
  const compress = method === "zlib" ? deflate : zstd;
  const damages = Object.entries({ ...ANY, ...(method === "zlib" ? ZLIB : ZSTD), ...mutations() });
  const clusters = damages.flatMap(([damage, spoil]): Planned[] => {
    const [good, bad] = [contentOf(random), contentOf(random)];
    return [
      { damage: undefined, content: good, stream: compress(good) },
      { damage, content: bad, stream: spoil(compress(bad), bad, random) },
    ];
  });
  const last = contentOf(random);
  return [...clusters, { damage: undefined, content: last, stream: compress(last) }];
}

function mutations(): Record<string, Damage> {
  const mutated: Damage = (stream, _, random) => {
    const bytes = stream.slice();
    for (let count = 1 + random() * 4; count >= 1; count--) {
      // Half of them where the codes are described.
      const at = Math.floor(random() * (random() < 0.5 ? 100 : bytes.length));
      bytes[at] = random() * 256;
    }
    return bytes;
  };
  return Object.fromEntries(
    Array.from({ length: MUTATED }, (_, index) => [`mutated, number ${index}`, mutated]),
  );
}

/** Easy to compress to a half, and nowhere the same. */
function contentOf(random: () => number): Uint8Array {
  return Uint8Array.from({ length: CLUSTER_BYTES }, () => 97 + random() * 14);
}

/** Appends streams to an image, and has its only L2 table name them. */
class ImageWriter {
  readonly #file: Deno.FsFile;
  readonly #l2Offset: number;
  #end: number;

  constructor(file: Deno.FsFile) {
    this.#file = file;
    const { l1_table_offset } = HEADER.read(this.#read(0, HEADER.sizeBytes), 0);
    const entry = this.#read(Number(l1_table_offset), 8).getBigUint64(0);
    this.#l2Offset = Number(entry & 0x00fffffffffffe00n);
    this.#end = file.statSync().size;
  }

  /** @param stream at most as long as a descriptor can tell */
  add(cluster: number, stream: Uint8Array): void {
    const sectors = Math.ceil(stream.length / SECTOR_BYTES);
    if (sectors > MAX_SECTORS) throw new RangeError(`a stream of ${stream.length} bytes`);
    this.#write(this.#end, stream);
    const entry = new DataView(new ArrayBuffer(8));
    const more = BigInt(sectors - 1) << SECTORS_SHIFT;
    entry.setBigUint64(0, COMPRESSED | more | BigInt(this.#end));
    this.#write(this.#l2Offset + cluster * 8, new Uint8Array(entry.buffer));
    this.#end += sectors * SECTOR_BYTES;
  }

  /** The file ends with a whole cluster. */
  end(): void {
    this.#file.truncateSync(Math.ceil(this.#end / CLUSTER_BYTES) * CLUSTER_BYTES);
  }

  #read(offset: number, lengthBytes: number): DataView<ArrayBuffer> {
    const bytes = new Uint8Array(lengthBytes);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#file.readSync(bytes);
    return new DataView(bytes.buffer);
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }
}
