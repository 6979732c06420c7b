/**
 * How the sources hang together: imports point down, and nothing knows itself in a roundabout way.
 *
 * @module
 */
// @ts-types="./support/std_assert.d.ts"
import { assertEquals } from "@std/assert";

/** The folders of src/, each of which may import from itself and from those before it. */
const LAYERS = [
  "sys",
  "crypt",
  "kernel",
  "storage",
  "image",
  "codec",
  "format",
  "disk",
  "loop",
  "nbd",
  "fuse",
  "serve",
  "daemon",
  "device",
  "cli",
  "main.ts",
];
/** Pairs on one level: protocols know nothing of each other. */
const STRANGERS = [["nbd", "fuse"]];

const SOURCES = new URL("../src/", import.meta.url).pathname;
const IMPORT = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

/** Paths below src/ that each file imports, types included. */
function imports(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const path of sourceFiles("")) {
    const text = Deno.readTextFileSync(SOURCES + path);
    const targets = [...text.matchAll(IMPORT)].map(([, target = ""]) =>
      new URL(target, `file:///${path}`).pathname.slice(1)
    );
    found.set(path, targets);
  }
  return found;
}

function sourceFiles(folder: string): string[] {
  return [...Deno.readDirSync(SOURCES + folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourceFiles(`${folder}${name}/`);
    return name.endsWith(".ts") ? [folder + name] : [];
  });
}

function layerOf(path: string): string {
  return path.split("/")[0] ?? "";
}

Deno.test("every folder of src has its place among the layers", () => {
  const folders = new Set(sourceFiles("").map(layerOf));
  assertEquals([...folders].sort(), LAYERS.toSorted());
});

Deno.test("imports point down", () => {
  const upward: string[] = [];
  for (const [path, targets] of imports()) {
    const from = layerOf(path);
    for (const target of targets) {
      const to = layerOf(target);
      const isUp = LAYERS.indexOf(to) > LAYERS.indexOf(from);
      const areStrangers = STRANGERS.some((pair) =>
        to !== from && pair.includes(to) && pair.includes(from)
      );
      if (isUp || areStrangers) upward.push(`${path} imports ${target}`);
    }
  }
  assertEquals(upward, []);
});

Deno.test("no file imports itself, by however many others", () => {
  const graph = imports();
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" > "));
      return;
    }
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assertEquals(cycles, []);
});

Deno.test("README.md lists the folders of src from the top down", () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  const listed = [...readme.matchAll(/^\| `src\/(\w+)` +\|/gm)].map(([, name = ""]) => name);
  const folders = LAYERS.filter((layer) => !layer.endsWith(".ts")).toReversed();
  assertEquals(listed.toSorted(), folders.toSorted());
  // The protocols, which know nothing of each other, may come in either order.
  const level = (name: string): number => LAYERS.indexOf(name === "fuse" ? "nbd" : name);
  assertEquals(listed.map(level), folders.map(level));
});
