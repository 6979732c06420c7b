/**
 * The images of the matrix, as data: what there is to choose, what does not go together, and a
 * seeded choice in which every possible pair of features occurs.
 *
 * @module
 */
import { OPTIONS } from "../../src/cli/words/option_table.ts";
import { findDriver } from "../../src/disk/registry.ts";
import { randomNumbers } from "../support/images.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the program under test can do: images that need more are left out until it can. */
const HAS = {
  keys: OPTIONS.some(({ long }) => (long as readonly string[]).includes("key-file")),
  qcow1: findDriver("QCOW1") !== undefined,
};

/** Every feature of the top image, with its values. */
const FEATURES = {
  version: ["0.10", "1.1"],
  clusterBits: [9, 10, 12, 14, 16, 17, 21],
  compression: ["zlib", "zstd"],
  extendedL2: [false, true],
  dataFile: ["none", "cooked", "raw"],
  encryption: HAS.keys ? ["none", "aes", "luks"] as const : ["none"] as const,
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
  lazyRefcounts: [false, true],
  preallocation: ["off", "metadata", "falloc", "full"],
  snapshots: [0, 1, 2],
  depth: [0, 1, 2, 3, 4],
  bottom: HAS.qcow1 ? ["qcow2", "raw", "qcow"] as const : ["qcow2", "raw"] as const,
  backingName: ["relative", "absolute", "file", "json"],
  size: ["tiny", "odd", "clusters", "large"],
  filling: ["empty", "data", "mixed", "compressed"],
} as const;

type Features = typeof FEATURES;
type Feature = keyof Features;
type Value = string | number | boolean;

/** What an image shall be like. */
export type Recipe = { readonly [K in Feature]: Features[K][number] } & {
  readonly name: string;
  readonly seed: number;
};
type Choice = { -readonly [K in Feature]: Features[K][number] };

/** What qemu refuses to make, or what would be the same as something else. */
const IMPOSSIBLE: Readonly<Record<string, (image: Choice) => boolean>> = {
  "version 2 knows none of it": ({ version, ...image }) =>
    version === "0.10" &&
    (image.compression === "zstd" || image.extendedL2 || image.dataFile !== "none" ||
      image.refcountBits !== 16 || image.lazyRefcounts),
  "subclusters have 512 bytes at least": ({ extendedL2, clusterBits }) =>
    extendedL2 && clusterBits < 14,
  "raw data stand for the whole disk": ({ dataFile, depth, encryption }) =>
    dataFile === "raw" && (depth > 0 || encryption !== "none"),
  "snapshots and compressed clusters lie in the image": ({ dataFile, snapshots, filling }) =>
    dataFile !== "none" && (snapshots > 0 || filling === "compressed"),
  "what is compressed is not encrypted": ({ encryption, filling }) =>
    encryption !== "none" && filling === "compressed",
  "snapshots share clusters": ({ refcountBits, snapshots }) => refcountBits === 1 && snapshots > 0,
  "compressed clusters share one, too": ({ refcountBits, snapshots, filling }) =>
    refcountBits < 8 && snapshots > 0 && filling === "compressed",
  "preallocation hides what is below": ({ preallocation, depth, extendedL2 }) =>
    preallocation !== "off" && depth > 0 && !extendedL2,
  "what is allocated cannot be compressed": ({ preallocation, filling }) =>
    preallocation !== "off" && filling === "compressed",
  "there is no bottom without a depth": ({ depth, bottom, backingName }) =>
    depth === 0 && (bottom !== "qcow2" || backingName !== "relative"),
  "tables of small clusters would be too large": ({ clusterBits, size }) =>
    clusterBits < 12 && size === "large",
  "space on this machine": ({ preallocation, size }) =>
    (preallocation === "full" || preallocation === "falloc") && size === "large",
};

function isPossible(image: Choice): boolean {
  return !Object.values(IMPOSSIBLE).some((refuses) => refuses(image));
}

/** As many as the acceptance asks for, and some. */
export const IMAGES = 208;

/** Candidates among which the one is taken that has most pairs not seen before. */
const CANDIDATES = 24;

/** A choice of `count` images, always the same. */
export function chooseRecipes(count: number, seed = 1): Recipe[] {
  const random = randomNumbers(seed);
  const seen = new Set<string>();
  return Array.from({ length: count }, (_, index) => {
    let best = randomChoice(random);
    for (let tried = 1; tried < CANDIDATES; tried++) {
      const other = randomChoice(random);
      if (newPairs(other, seen).length > newPairs(best, seen).length) best = other;
    }
    for (const pair of newPairs(best, seen)) seen.add(pair);
    return { ...best, name: nameOf(best, index), seed: seed * 10_000 + index };
  });
}

function randomChoice(random: () => number): Choice {
  for (;;) {
    const features: [string, readonly Value[]][] = Object.entries(FEATURES);
    const entries = features.map(([name, values]) => [name, pick(values, random)]);
    const choice = settled(Object.fromEntries(entries) as Choice);
    if (isPossible(choice)) return choice;
  }
}

/** What some choices leave no choice of, so that these are not made too seldom. */
function settled(choice: Choice): Choice {
  if (choice.version === "0.10") {
    const none = { compression: "zlib", extendedL2: false, dataFile: "none" } as const;
    Object.assign(choice, { ...none, refcountBits: 16, lazyRefcounts: false });
  }
  if (choice.dataFile === "raw") Object.assign(choice, { depth: 0, encryption: "none" });
  if (choice.depth === 0) Object.assign(choice, { bottom: "qcow2", backingName: "relative" });
  return choice;
}

export function pick<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error("nothing to choose from");
  return value;
}

function newPairs(choice: Choice, seen: ReadonlySet<string>): string[] {
  return pairsOf(choice).filter((pair) => !seen.has(pair));
}

function pairsOf(choice: Choice): string[] {
  const words = Object.entries(choice).map(([name, value]) => `${name}=${value}`);
  return words.flatMap((word, at) => words.slice(at + 1).map((other) => `${word} ${other}`));
}

/** Pairs of features that are possible in themselves, and do not occur in `recipes`. */
export function missingPairs(recipes: readonly Recipe[], random = randomNumbers(99)): string[] {
  const seen = new Set(recipes.flatMap(({ name: _, seed: __, ...choice }) => pairsOf(choice)));
  const missing = new Set<string>();
  for (let tried = 0; tried < 5000; tried++) {
    for (const pair of newPairs(randomChoice(random), seen)) missing.add(pair);
  }
  return [...missing];
}

function nameOf(choice: Choice, index: number): string {
  const words: Value[] = [
    `v${choice.version === "1.1" ? 3 : 2}`,
    2 ** choice.clusterBits,
    choice.filling,
    choice.size,
    choice.compression,
    ...(choice.extendedL2 ? ["extended"] : []),
    ...(choice.dataFile === "none" ? [] : [`data-file-${choice.dataFile}`]),
    ...(choice.encryption === "none" ? [] : [choice.encryption]),
    `refcount${choice.refcountBits}`,
    ...(choice.preallocation === "off" ? [] : [choice.preallocation]),
    ...(choice.depth === 0 ? [] : [`depth${choice.depth}-${choice.bottom}-${choice.backingName}`]),
    ...(choice.snapshots === 0 ? [] : [`snapshots${choice.snapshots}`]),
  ];
  return `${index}: ${words.join(" ")}`;
}

/** Size of the top image's disk in bytes, whole sectors. */
export function diskBytes({ size, clusterBits, seed }: Recipe): number {
  const clusterBytes = 2 ** clusterBits;
  const random = randomNumbers(seed);
  const upTo = (bytes: number): number => 512 * Math.ceil(random() * bytes / 512);
  switch (size) {
    case "tiny":
      return upTo(Math.min(clusterBytes, 64 * KIB));
    case "odd":
      return upTo(clusterBits < 12 ? MIB : 4 * MIB);
    case "clusters":
      return clusterBytes * Math.ceil(Math.min(40, 4 * MIB / clusterBytes));
    case "large":
      return 64 * MIB + upTo(4 * MIB);
  }
}
