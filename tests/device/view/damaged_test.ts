// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { sameBytes } from "../../format/opened_image.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { asRoot } from "../../support/program.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { type Cluster, CLUSTER_BYTES, makeDamaged, type Method } from "./damaged_streams.ts";
import { nothingBelow, VIEW, viewTest } from "./view.ts";

const PAGE_BYTES = 4096;
/** Those of a cluster that are read of it: each try decompresses all of it anew where that fails. */
const PAGES = [0, 7, 14, 15];
const DECODE = ["--kernel-decode", "on"] as const;
/** A kernel before 6.15 says so. */
const CANNOT = /decompresses.*Linux 6\.15/;

/** A device until the end of the scope; undefined where the kernel decompresses nothing. */
async function attach(
  image: string,
  ...options: readonly string[]
): Promise<(AsyncDisposable & { path: string }) | undefined> {
  const words = [...options, "-r", "-t", "QCOW", "--find", "--show", image];
  const { code, stdout, stderr } = await asRoot().run(...words);
  if (code !== 0 && CANNOT.test(stderr)) return undefined;
  assertEquals(code, 0, stderr);
  const path = stdout.trim();
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      await must("losetup", "-d", path);
    },
  };
}

/** The pages of a cluster: undefined for those that cannot be read. */
function pagesOf(device: Deno.FsFile, cluster: number): (Uint8Array | undefined)[] {
  return PAGES.map((page) => {
    const bytes = new Uint8Array(PAGE_BYTES);
    device.seekSync(cluster * CLUSTER_BYTES + page * PAGE_BYTES, Deno.SeekMode.Start);
    try {
      for (let at = 0; at < PAGE_BYTES;) at += device.readSync(bytes.subarray(at)) ?? PAGE_BYTES;
      return bytes;
    } catch (error) {
      assert(error instanceof Error && /os error (5|117)\)/.test(error.message), `${error}`);
      return undefined;
    }
  });
}

/** All clusters, in this order: one after the other, the kernel reads ahead. */
function readAll(
  path: string,
  count: number,
  order: "forwards" | "backwards",
): (Uint8Array | undefined)[][] {
  using device = Deno.openSync(path);
  const found: (Uint8Array | undefined)[][] = [];
  for (let number = 0; number < count; number++) {
    const cluster = order === "forwards" ? number : count - 1 - number;
    found[cluster] = pagesOf(device, cluster);
  }
  return found;
}

/** What a cluster has in the page of this place in {@link PAGES}. */
function contentOf(content: Uint8Array, place: number): Uint8Array {
  const start = (PAGES[place] ?? 0) * PAGE_BYTES;
  return content.subarray(start, start + PAGE_BYTES);
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : sameBytes(one, other);
}

/**
 * The one thing that the kernel does not notice (z_erofs_deflate_decompress(), up to Linux 7.2 at least):
 * a deflate stream that ends within the last page. The rest of that page has what its memory had.
 */
function isUnnoticed({ damage, content }: Cluster, pages: (Uint8Array | undefined)[]): boolean {
  return damage !== undefined &&
    /too short by (some bytes of the last page|one byte)/.test(damage) &&
    pages.slice(0, -1).every((page, index) => isSame(page, contentOf(content, index)));
}

/** Compares what the kernel shows to what a daemon does. */
async function compare(method: Method): Promise<void> {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  const clusters = await makeDamaged(image, method);
  await using kernel = await attach(image, ...VIEW, ...DECODE);
  if (kernel === undefined) return;
  const first = readAll(kernel.path, clusters.length, "backwards");
  const second = readAll(kernel.path, clusters.length, "forwards");
  await using served = await attach(image, "--transport", "fuse");
  const expected = readAll(served?.path ?? "", clusters.length, "forwards");
  let failed = 0;
  clusters.forEach((cluster, index) => {
    const pages = expected[index] ?? [];
    if (pages.some((page) => page === undefined)) failed++;
    for (const found of [first[index] ?? [], second[index] ?? []]) {
      const areSame = found.every((page, at) => isSame(page, pages[at]));
      const what = `${cluster.damage ?? "good"}, cluster ${index}`;
      assert(areSame || (method === "zlib" && isUnnoticed(cluster, found)), what);
      if (cluster.damage !== undefined) continue;
      assert(found.every((page, at) => isSame(page, contentOf(cluster.content, at))), what);
    }
  });
  assertGreater(failed, 10);
}

for (const method of ["zlib", "zstd"] as const) {
  viewTest(
    `damaged ${method} streams fail where the kernel decompresses, or give what qemu gives`,
    IMAGE_TOOLS,
    async () => {
      await compare(method);
      await nothingBelow();
    },
  );
}
