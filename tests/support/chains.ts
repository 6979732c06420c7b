/**
 * Chains of images made by qemu's tools: seeded contents, mixed formats, sizes, features and ways to
 * name what lies below.
 *
 * @module
 */
import { randomNumbers } from "./images.ts";
import { must } from "./tools.ts";

const KIB = 1024;

/** A chain and its contents. */
export interface TestChain {
  /** The top image. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The same disk as a raw file, converted by qemu-img. */
  readonly rawPath: string;
  /** In words, from the top down. */
  readonly description: string;
}

export interface ChainRecipe {
  readonly seed: number;
  /** Images below the top one. */
  readonly depth: number;
  /**
   * Name of a snapshot of the top image that is made before some of its content. An image with an
   * external data file can have none: the seed has to be one that gives it none.
   */
  readonly snapshot?: string;
}

interface Layer {
  readonly path: string;
  readonly format: "raw" | "qcow" | "qcow2";
  readonly sizeBytes: number;
  readonly description: string;
  /** 0 if nothing can be compressed. */
  readonly compressibleBytes: number;
}

type Choose = <T>(...values: readonly T[]) => T;

/** Makes a chain below `folder`, each image in a folder of its own. */
export async function makeChain(folder: string, recipe: ChainRecipe): Promise<TestChain> {
  const random = randomNumbers(recipe.seed);
  const choose: Choose = (...values) =>
    values[Math.floor(random() * values.length)] as typeof values[number];
  let layer: Layer | undefined;
  const descriptions: string[] = [];
  for (let level = recipe.depth; level >= 0; level--) {
    const place = `${folder}/${level}`;
    await Deno.mkdir(place);
    layer = await makeLayer(place, layer, random, choose);
    await fill(layer, random, choose);
    if (level === 0 && recipe.snapshot !== undefined) {
      await must("qemu-img", "snapshot", "-c", recipe.snapshot, layer.path);
      await fill({ ...layer, compressibleBytes: 0 }, random, choose);
    }
    descriptions.unshift(layer.description);
  }
  if (layer === undefined) throw new Error("a chain of nothing");
  const { path, format, sizeBytes } = layer;
  const rawPath = `${folder}/disk.raw`;
  await must("qemu-img", "convert", "-f", format, "-O", "raw", path, rawPath);
  return { path, sizeBytes, rawPath, description: descriptions.join(" <- ") };
}

async function makeLayer(
  place: string,
  below: Layer | undefined,
  random: () => number,
  choose: Choose,
): Promise<Layer> {
  const sizeBytes = 512 * (1 + Math.floor(random() * 6000));
  const isTop = place.endsWith("/0");
  const isRaw = below === undefined && !isTop && choose(true, false);
  const format = isRaw ? "raw" : isTop ? "qcow2" : choose("qcow2", "qcow2", "qcow2", "qcow");
  const path = `${place}/disk.${format}`;
  const options = format === "qcow2" ? layerOptions(place, below, choose) : [];
  const name = below && (format === "qcow" ? jsonNameOf(below) : nameOf(below, choose));
  const backing = below === undefined ? [] : ["-b", `${name}`, "-F", below.format];
  const words = options.length > 0 ? ["-o", options.join(",")] : [];
  await must("qemu-img", "create", "-q", "-f", format, ...words, ...backing, path, `${sizeBytes}`);
  const clusterBytes = Number(options[0]?.replace("cluster_size=", "") ?? 0);
  const hasDataFile = options.some((option) => option.startsWith("data_file"));
  const description = `${format} ${sizeBytes} (${[...options, ...backing].join(" ")})`;
  return {
    path,
    format,
    sizeBytes,
    description,
    compressibleBytes: hasDataFile ? 0 : clusterBytes,
  };
}

function layerOptions(place: string, below: Layer | undefined, choose: Choose): string[] {
  const clusterBytes = choose(512, 4 * KIB, 64 * KIB, 256 * KIB);
  const options = [`cluster_size=${clusterBytes}`];
  if (choose(true, false, false)) return [...options, "compat=0.10"];
  if (clusterBytes >= 16 * KIB && choose(true, false)) options.push("extended_l2=on");
  if (choose(true, false, false)) {
    const isRaw = below === undefined && choose(true, false);
    options.push(`data_file=${place}/data`, `data_file_raw=${isRaw ? "on" : "off"}`);
  } else options.push(`compression_type=${choose("zlib", "zstd")}`);
  return options;
}

/** Version 1 of QCOW records no format: only the name can. */
function jsonNameOf({ path, format }: Layer): string {
  const file = { driver: "file", filename: path };
  return `json:${JSON.stringify({ driver: format, file })}`;
}

/** Relative names in `json:` and `file:` are meant otherwise by qemu: not from the image's folder. */
function nameOf(layer: Layer, choose: Choose): string {
  const { path, format } = layer;
  const relative = path.replace(/^.*\/(\d+\/[^/]+)$/, "../$1");
  return choose(
    relative,
    path,
    `file:${path}`,
    jsonNameOf(layer),
    `json:${JSON.stringify({ driver: format, "file.driver": "file", "file.filename": path })}`,
  );
}

/** Writes here and there; in places of all layers alike, so that they lie above each other. */
async function fill(layer: Layer, random: () => number, choose: Choose): Promise<void> {
  const { path, format, sizeBytes } = layer;
  const commands = compressedWrites(layer, random);
  for (let count = 0; count < 24; count++) {
    const lengthBytes = 512 * (1 + Math.floor(random() * choose(4, 100, 600)));
    const offset = 512 * Math.floor(random() * 6000);
    if (offset + lengthBytes > sizeBytes) continue;
    const pattern = 1 + Math.floor(random() * 255);
    const kind = choose(`write -P ${pattern}`, `write -P ${pattern}`, "write -z", "discard");
    commands.push(`${kind} ${offset} ${lengthBytes}`);
  }
  if (commands.length === 0) return;
  const words = commands.flatMap((command) => ["-c", command]);
  await must("qemu-io", "-t", "unsafe", "-d", "unmap", "-f", format, ...words, path);
}

/** Whole clusters, each of which qemu lets be written so only once. */
function compressedWrites(layer: Layer, random: () => number): string[] {
  const { sizeBytes, compressibleBytes } = layer;
  const clusters = compressibleBytes === 0 ? 0 : Math.floor(sizeBytes / compressibleBytes);
  const numbers = Array.from({ length: Math.min(8, clusters) }, () => random() * clusters);
  return [...new Set(numbers.map(Math.floor))].map((cluster) => {
    const pattern = 1 + Math.floor(random() * 255);
    return `write -c -P ${pattern} ${cluster * compressibleBytes} ${compressibleBytes}`;
  });
}
