/**
 * Making the images of the matrix with qemu's own tools.
 *
 * @module
 */
import { randomNumbers } from "../support/images.ts";
import { must, mustDeriveKey } from "../support/tools.ts";
import { diskBytes, pick, type Recipe } from "./recipe.ts";

/** The passphrase of all encrypted images. */
const PASSPHRASE = "horse battery staple";
export const SECRET: readonly string[] = ["--object", `secret,id=key,data=${PASSPHRASE}`];

/** One image of a chain. */
interface Layer {
  readonly path: string;
  readonly format: "qcow2" | "raw" | "qcow";
  readonly recipe: Recipe;
  readonly sizeBytes: number;
  readonly below: Layer | undefined;
}

/** An image of the matrix. */
export interface MatrixImage {
  readonly recipe: Recipe;
  readonly path: string;
  readonly sizeBytes: number;
  /** How qemu's tools name it: `--image-opts` and so on, without the file's secret. */
  readonly qemuOptions: string;
  /** What the program under test needs to open it, besides `-t QCOW`. */
  readonly options: readonly string[];
}

/** Makes the image of a recipe, and all below it, in `folder`. */
export async function makeMatrixImage(folder: string, recipe: Recipe): Promise<MatrixImage> {
  const pattern = `${folder}/pattern`;
  const keyFile = `${folder}/key`;
  await Deno.writeFile(pattern, patternBytes());
  await Deno.writeTextFile(keyFile, PASSPHRASE);
  const top = planLayer(folder, recipe, 0);
  await makeLayer(top, pattern);
  return {
    recipe,
    path: top.path,
    sizeBytes: top.sizeBytes,
    qemuOptions: options(top),
    options: recipe.encryption === "none" ? [] : ["--key-file", keyFile],
  };
}

/** A copy of an image, and of the file it keeps its data in, beside it: it lies on the same images. */
export async function twinOf(image: MatrixImage): Promise<MatrixImage> {
  const { path, qemuOptions, recipe } = image;
  const twin = path.replace(/\d+\.qcow2$/, "twin.qcow2");
  await must("cp", "--sparse=always", path, twin);
  let names = `file.filename=${twin}`;
  if (recipe.dataFile !== "none") {
    await must("cp", "--sparse=always", `${path}.data`, `${twin}.data`);
    names += `,data-file.driver=file,data-file.filename=${twin}.data`;
  }
  return {
    ...image,
    path: twin,
    qemuOptions: qemuOptions.replace(`file.filename=${path}`, names),
  };
}

/** The same disk as a raw file, by qemu. */
export async function rawCopy(image: MatrixImage): Promise<string> {
  const raw = `${image.path}.raw`;
  const how = [...SECRET, "--image-opts", "-O", "raw"];
  await must("qemu-img", "convert", ...how, image.qemuOptions, raw);
  return raw;
}

/** Half of it is easy to compress; it repeats only after its 256 KiB. */
function patternBytes(): Uint8Array {
  const random = randomNumbers(42);
  return Uint8Array.from(
    { length: 256 * 1024 },
    (_, index) => index & 512 ? random() * 256 : 97 + random() * 3,
  );
}

/** What lies below has features of its own, and mostly another size. */
function planLayer(folder: string, recipe: Recipe, depth: number): Layer {
  const isBottom = depth === recipe.depth;
  const format = depth > 0 && isBottom ? recipe.bottom : "qcow2";
  const own = depth === 0 ? recipe : featuresBelow(recipe, depth);
  const scale = depth === 0 ? 1 : pick([0.5, 1, 1, 1.5], randomNumbers(own.seed));
  const sizeBytes = Math.max(512, 512 * Math.floor(diskBytes(recipe) * scale / 512));
  const below = isBottom ? undefined : planLayer(folder, recipe, depth + 1);
  return { path: `${folder}/${depth}.${format}`, format, recipe: own, sizeBytes, below };
}

function featuresBelow(recipe: Recipe, depth: number): Recipe {
  const seed = recipe.seed + 1_000_000 * depth;
  const random = randomNumbers(seed);
  const bits = Math.max(recipe.clusterBits, 12);
  return {
    ...recipe,
    seed,
    version: pick(["0.10", "1.1", "1.1"] as const, random),
    clusterBits: pick([recipe.clusterBits, bits === 21 ? 16 : 12] as const, random),
    compression: "zlib",
    extendedL2: false,
    dataFile: "none",
    encryption: "none",
    refcountBits: 16,
    lazyRefcounts: false,
    preallocation: "off",
    snapshots: 0,
    filling: pick(["data", "mixed", "compressed"] as const, random),
  };
}

async function makeLayer(layer: Layer, pattern: string): Promise<void> {
  if (layer.below !== undefined) await makeLayer(layer.below, pattern);
  await create(layer);
  const lines = commands(layer, pattern);
  if (layer.format !== "qcow2") return await fill(layer, lines);
  const rounds = layer.recipe.snapshots + 1;
  for (let round = 0; round < rounds; round++) {
    const [from, to] = [round, round + 1].map((n) => Math.round(lines.length * n / rounds));
    await fill(layer, lines.slice(from, to));
    if (round === layer.recipe.snapshots) break;
    await must(
      "qemu-img",
      "snapshot",
      ...SECRET,
      "--image-opts",
      "-c",
      `s${round}`,
      options(layer),
    );
  }
}

async function create(layer: Layer): Promise<void> {
  const { path, format, sizeBytes, below } = layer;
  const settings = format === "qcow2" ? createOptions(layer) : [];
  const words = settings.length === 0 ? [] : ["-o", settings.join(",")];
  const backing = below === undefined ? [] : ["-u", ...backingWords(layer.recipe, below)];
  const all = ["create", "-q", ...SECRET, "-f", format, ...words, ...backing, path, `${sizeBytes}`];
  await mustDeriveKey("qemu-img", ...all);
}

function createOptions({ recipe, path }: Layer): string[] {
  const { version, clusterBits, refcountBits, encryption, dataFile, preallocation } = recipe;
  const isNew = version === "1.1";
  return [
    `compat=${version}`,
    `cluster_size=${2 ** clusterBits}`,
    `preallocation=${preallocation}`,
    ...(isNew ? [`refcount_bits=${refcountBits}`, `compression_type=${recipe.compression}`] : []),
    ...(isNew ? [`lazy_refcounts=${onOff(recipe.lazyRefcounts)}`] : []),
    ...(isNew ? [`extended_l2=${onOff(recipe.extendedL2)}`] : []),
    ...(encryption === "none" ? [] : [`encrypt.format=${encryption}`, "encrypt.key-secret=key"]),
    ...(encryption === "luks" ? ["encrypt.iter-time=10"] : []),
    ...(dataFile === "none" ? [] : [`data_file=${path}.data`]),
    ...(dataFile === "raw" ? ["data_file_raw=on"] : []),
  ];
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}

function backingWords({ backingName }: Recipe, { path, format }: Layer): string[] {
  const file = { driver: "file", filename: path };
  switch (backingName) {
    case "relative":
      return ["-b", path.slice(path.lastIndexOf("/") + 1), "-F", format];
    case "absolute":
      return ["-b", path, "-F", format];
    case "file":
      return ["-b", `file:${path}`, "-F", format];
    case "json":
      return ["-b", `json:${JSON.stringify({ driver: format, file })}`, "-F", format];
  }
}

async function fill(layer: Layer, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const words = lines.flatMap((line) => ["-c", line]);
  const how = ["-t", "unsafe", "-d", "unmap", ...SECRET, "--image-opts"];
  await must("qemu-io", ...how, ...words, options(layer));
}

/** What is written, in the order in which it is. */
function commands({ recipe, format, sizeBytes }: Layer, pattern: string): string[] {
  const random = randomNumbers(recipe.seed);
  const { filling, clusterBits } = recipe;
  if (filling === "empty") return [];
  const compressed = filling === "compressed" && format === "qcow2"
    ? compressedWrites(2 ** clusterBits, sizeBytes, { pattern, random })
    : [];
  const kinds = filling === "data" ? DATA : ANYTHING;
  const count = filling === "compressed" ? 4 : 12;
  return [
    ...compressed,
    ...randomWrites(kinds, count, { sizeBytes, clusterBits, pattern, random }),
  ];
}

const DATA = ["write -s", "write -P"] as const;
const ANYTHING = [...DATA, "write -P", "write -z", "write -z -u", "discard"] as const;

interface Writing {
  readonly sizeBytes: number;
  readonly clusterBits: number;
  readonly pattern: string;
  readonly random: () => number;
}

/** Ranges of whole sectors, from one up to some clusters. */
function randomWrites(
  kinds: readonly string[],
  count: number,
  { sizeBytes, clusterBits, pattern, random }: Writing,
): string[] {
  const sectors = sizeBytes / 512;
  const longest = Math.max(8, 3 * 2 ** clusterBits / 512);
  return Array.from({ length: count }, () => {
    const start = Math.floor(random() * sectors);
    const length = Math.min(1 + Math.floor(random() ** 2 * longest), sectors - start);
    const kind = pick(kinds, random);
    const what = kind === "write -s" ? `write -s ${pattern}` : kind;
    const detail = kind === "write -P" ? ` ${1 + Math.floor(random() * 255)}` : "";
    return `${what}${detail} ${start * 512} ${length * 512}`;
  });
}

/** Whole clusters, each of which can be written only once. */
function compressedWrites(
  clusterBytes: number,
  sizeBytes: number,
  { pattern, random }: Pick<Writing, "pattern" | "random">,
): string[] {
  const clusters = Math.ceil(sizeBytes / clusterBytes);
  const step = Math.max(1, Math.ceil(clusters / 12));
  const lines: string[] = [];
  for (let cluster = 0; cluster < clusters; cluster += step) {
    if (random() < 0.3) continue;
    const count = Math.min(1 + Math.floor(random() * step), clusters - cluster);
    const start = cluster * clusterBytes;
    const length = Math.min(count * clusterBytes, sizeBytes - start);
    lines.push(`write -c -s ${pattern} ${start} ${length}`);
  }
  return lines;
}

/** An image in the words of qemu's `--image-opts`; names and formats of what is below are recorded. */
function options({ path, format, recipe }: Layer): string {
  const secret = recipe.encryption === "none" ? "" : ",encrypt.key-secret=key";
  return `driver=${format},file.filename=${path}${format === "qcow2" ? secret : ""}`;
}
