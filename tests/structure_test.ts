/**
 * How the sources hang together: imports point down, and nothing knows itself in a roundabout way.
 * And what tests do in one way only.
 *
 * @module
 */
// @ts-types="./support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Image } from "../src/image/driver.ts";

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
  "view",
  "loop",
  "nbd",
  "fuse",
  "serve",
  "daemon",
  "device",
  "cli",
  "boot",
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

function sourceFiles(folder: string, root = SOURCES): string[] {
  return [...Deno.readDirSync(root + folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourceFiles(`${folder}${name}/`, root);
    return /\.(ts|sh)$/.test(name) ? [folder + name] : [];
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

/** All that there is, or the types would not fit: a driver's contract is to stay small. */
const IMAGE_MEMBERS: Readonly<Record<keyof Image, true>> = {
  sizeBytes: true,
  fileHoles: true,
  map: true,
  warnings: true,
  sectorBytes: true,
  refreshSize: true,
  dropCaches: true,
  packing: true,
  arriving: true,
  writing: true,
  [Symbol.dispose]: true,
};

Deno.test("Image has eleven members", () => {
  assertEquals(Reflect.ownKeys(IMAGE_MEMBERS).length, 11);
});

/** Records that go along with a call, and say what is asked for or what has come of it. */
const RECORDS = [
  "AioSlot",
  "Attempt",
  "Change",
  "DiskSeek",
  "FileRange",
  "Frame",
  "Mapping",
  "Placement",
  "ReadRequest",
  "Run",
];
const CLASS = /^(?:export )?class (\w+)[^]*?^}/gm;
/** A public field that others may set. */
const OPEN_FIELD =
  /^ {2}(?!(?:readonly|get|set|static) )([a-z]\w*)(?:[!?]?: [^(\n]+)?(?: =(?!>)|;$)/gm;

Deno.test("no field of image access, files or drivers is there to steer the next call", () => {
  const steering: string[] = [];
  for (
    const path of ["storage/", "image/", "codec/", "format/", "disk/"].flatMap((folder) =>
      sourceFiles(folder)
    )
  ) {
    const text = Deno.readTextFileSync(SOURCES + path);
    for (const [body, name = ""] of text.matchAll(CLASS)) {
      if (RECORDS.includes(name)) continue;
      for (const [, field] of body.matchAll(OPEN_FIELD)) steering.push(`${path}: ${name}.${field}`);
    }
  }
  assertEquals(steering, []);
});

const TESTS = new URL("./", import.meta.url).pathname;

/** What only a few files of the tests may have in them. */
interface TestRule {
  readonly name: string;
  readonly pattern: RegExp;
  /** Beginnings of the paths of those that may. */
  readonly except: readonly string[];
}

const TEST_RULES: readonly TestRule[] = [
  {
    name: "tests have no clocks of their own: all waits are those of support/patience.ts",
    pattern:
      /\beventually [0-9]|performance\.now\(\)|Date\.now\(\)|setTimeout\(|"timeout",|\btimeout [0-9]/,
    // What measures, watches over a whole machine, sets the clock, or ends the stock tool where that
    // never does.
    except: [
      "bench/",
      "crash/",
      "differential/differential_test.ts",
      "hostile/",
      "kernel/uml/uml.ts",
      "nbd/nbd_channel_test.ts",
    ],
  },
  {
    name: "tests are skipped by testIfPossible() alone, which says why",
    pattern: /\bignore(?:: |,)|\.ignore\(/,
    except: ["support/tools.ts", "run/left_out_test.ts"],
  },
];

for (const { name, pattern, except } of TEST_RULES) {
  Deno.test(name, () => {
    const free = [...except, "structure_test.ts", "support/patience.ts"];
    const breaking = sourceFiles("", TESTS)
      .filter((path) => !free.some((prefix) => path.startsWith(prefix)))
      .filter((path) => pattern.test(Deno.readTextFileSync(TESTS + path)));
    assertEquals(breaking, []);
  });
}
