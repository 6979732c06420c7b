// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { oracleTest, run, TempDirectory } from "../../support/tools.ts";
import { OpenedImage } from "../opened_image.ts";
import { buildImage } from "./image_builder.ts";

const CLUSTER = 4096;

function host(cluster: number): bigint {
  return BigInt(cluster * CLUSTER);
}

type Parts = Parameters<typeof buildImage>[0];
const EXTENDED_BITS = 14;
const EXTENDED_HOST = BigInt(3 * 2 ** EXTENDED_BITS);

/** Images that no tool writes, and whether both of us read their first cluster. */
const ODD_IMAGES: readonly [name: string, parts: Parts][] = [
  ["an ordinary image", { l2: [host(3)] }],
  ["reserved bits in an L1 entry", { l1: [host(2) | 0x7f00_0000_0000_01ffn], l2: [host(3)] }],
  ["reserved bits in an L2 entry", { l2: [host(3) | 0x3f00_0000_0000_01fen] }],
  ["a zero flag in version 3", { l2: [host(3) | 1n] }],
  ["a zero flag in version 2", { header: { version: 2 }, l2: [host(3) | 1n] }],
  ["a plain zero flag in version 2", { header: { version: 2 }, l2: [1n] }],
  ["an offset that is not aligned", { l2: [host(3) + 512n] }],
  ["a zero cluster whose offset is not aligned", { l2: [(host(3) + 512n) | 1n] }],
  ["an L2 table that is not aligned", { l1: [host(2) + 512n] }],
  ["a cluster past the end of the file", { l2: [host(100)] }],
  ["a cluster far past the end of the file", { l2: [(1n << 55n) - host(1)] }],
  ["only a reserved bit in an L2 entry", { l2: [1n << 57n] }],
  ["a compressed cluster of garbage", { l2: [(1n << 62n) | host(3)] }],
  ["a compressed cluster past the end of the file", { l2: [(1n << 62n) | host(100)] }],
  ["a header length that is not a multiple of 8", { headerV3: { header_length: 105 } }],
  ["a size that is not a multiple of a sector", { header: { size: CLUSTER + 700 } }],
  ["an empty backing file name", { header: { backing_file_offset: 1024 }, l2: [host(3)] }],
  ["an L1 table larger than needed", { header: { l1_size: 512 }, l2: [host(3)] }],
  ["a dirty bit", { headerV3: { incompatible_features: 1 }, l2: [host(3)] }],
  ["an unknown feature", { headerV3: { incompatible_features: 32 } }],
  ["an L1 table that is too small", { header: { size: 2 ** 22 } }],
  ["no refcount table", { header: { refcount_table_clusters: 0 } }],
  ["a contradicting compression type", { compressionType: 1 }],
  ["raw external data without a data file", { headerV3: { autoclear_features: 2 } }],
];

/** As {@link ODD_IMAGES}, with extended entries: the cluster's entry and its bitmap. */
const ODD_EXTENDED: readonly [name: string, entry: bigint, bitmap: bigint, parts?: Parts][] = [
  ["a whole cluster", EXTENDED_HOST, 0xffff_ffffn],
  ["the first subcluster alone", EXTENDED_HOST, 1n],
  ["all but the first subcluster", EXTENDED_HOST, 0xffff_fffen],
  ["a zero subcluster in a cluster", EXTENDED_HOST, (1n << 32n) | 0xffff_fffen],
  ["a zero subcluster without a cluster", 0n, 1n << 32n],
  ["a subcluster both zero and allocated", EXTENDED_HOST, (1n << 32n) | 1n],
  ["another subcluster both zero and allocated", EXTENDED_HOST, (1n << 40n) | 0x101n],
  ["an allocated subcluster without a cluster", 0n, 1n],
  ["another allocated subcluster without a cluster", 0n, 2n],
  ["a reserved bit 0", EXTENDED_HOST | 1n, 1n],
  ["a misaligned cluster", EXTENDED_HOST + 512n, 1n],
  ["a misaligned cluster without subclusters", EXTENDED_HOST + 512n, 0n],
  ["a compressed cluster of garbage with a bitmap", (1n << 62n) | EXTENDED_HOST, 3n],
  ["subclusters that are too small", 8192n, 0xffff_ffffn, { clusterBits: 13 }],
];

const ALL_IMAGES = [
  ...ODD_IMAGES,
  ...ODD_EXTENDED.map(([name, entry, bitmap, parts]): [string, Parts] => [
    `${name} (extended L2)`,
    {
      clusterBits: EXTENDED_BITS,
      headerV3: { incompatible_features: 16 },
      l2: [entry, bitmap],
      ...parts,
    },
  ]),
];

for (const [name, parts] of ALL_IMAGES) {
  oracleTest(`qcow and qemu agree on ${name}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("odd.qcow2");
    Deno.writeFileSync(path, buildImage(parts));
    assertEquals(ourAnswer(path), await answerOfQemu(path));
  });
}

/** Size and first bytes of the disk, or undefined for one that cannot be read there. */
type Answer = { readonly sizeBytes: number; readonly first: string } | undefined;

function ourAnswer(path: string): Answer {
  try {
    using opened = new OpenedImage(path, qcow);
    const first = [...opened.read(0, 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    return { sizeBytes: opened.image.sizeBytes, first: first.join(" ") };
  } catch (error) {
    if (error instanceof ImageFormatError || error instanceof UnsupportedFeatureError) return;
    throw error;
  }
}

async function answerOfQemu(path: string): Promise<Answer> {
  const commands = ["-c", "length", "-c", "read -v 0 16"];
  const { code, stdout } = await run("qemu-io", "-r", "-f", "qcow2", ...commands, path);
  const info = await run("qemu-img", "info", "-f", "qcow2", "--output=json", path);
  const first = /^0+:\s+((?:[0-9a-f]{2}\s+){16})/m.exec(stdout)?.[1]?.trim();
  if (code !== 0 || info.code !== 0 || first === undefined) return undefined;
  return { sizeBytes: JSON.parse(info.stdout)["virtual-size"], first };
}
