/**
 * What pack.sh leaves where it packs, and what it takes for packed already.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { oracleTest, type Output, run, TempDirectory } from "../support/tools.ts";

const PACK = new URL("../../src/boot/pack.sh", import.meta.url).pathname;
const PROGRAM = "/bin/true";

/** Tells in a log what it is called for, and writes what tells one call from another. */
const MKSQUASHFS = `#!/bin/sh
echo packed >>"$LOG"
echo "$LABEL begun" >>"$2"
eval "$MEANWHILE"
echo "$LABEL ended" >>"$2"
`;
const SYNC = `#!/bin/sh
echo "synced $(tail -n 1 "$1"), while there is $(cat "$TARGET" 2>/dev/null || echo nothing)" >>"$LOG"
`;

/** A folder to pack into, with stand-ins for the programs that pack. */
class Place implements Disposable {
  readonly #tools = new TempDirectory();
  readonly #folder = new TempDirectory();

  constructor() {
    this.tool("mksquashfs", MKSQUASHFS);
    this.tool("sync", SYNC);
  }

  get target(): string {
    return this.#folder.file("root.squashfs");
  }

  tool(name: string, script: string): void {
    Deno.writeTextFileSync(this.#tools.file(name), script, { mode: 0o755 });
  }

  /** @param meanwhile what the shell runs while it packs */
  async pack(label: string, meanwhile = "", path = Deno.env.get("PATH")): Promise<Output> {
    const log = `LOG=${this.#tools.file("log")}`;
    const packs = [`LABEL=${label}`, `MEANWHILE=${meanwhile}`, `PACK=${PACK}`];
    const variables = [log, ...packs, `TARGET=${this.target}`, `PATH=${this.#tools.path}:${path}`];
    return await run("env", ...variables, "/bin/sh", PACK, this.target, PROGRAM);
  }

  /** What the stand-ins were called for until now. */
  log(): string[] {
    const file = this.#tools.file("log");
    const lines = Deno.readTextFileSync(file).trim().split("\n");
    Deno.removeSync(file);
    return lines;
  }

  packed(): string {
    return Deno.readTextFileSync(this.target);
  }

  names(): string[] {
    return [...Deno.readDirSync(this.#folder.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    this.#tools[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

const NAMES = ["root.squashfs", "root.squashfs.made-of"];

oracleTest("pack.sh syncs what it packs before that is in place", ["busybox"], async () => {
  using place = new Place();
  assertEquals((await place.pack("a")).code, 0);
  assertEquals(place.log(), ["packed", "synced a ended, while there is nothing"]);
  assertEquals(place.names(), NAMES);
  assertEquals((Deno.statSync(place.target).mode ?? 0) & 0o777, 0o644);
});

oracleTest("pack.sh keeps only what is whole", ["busybox"], async () => {
  using place = new Place();
  await place.pack("a");
  assertEquals((await place.pack("b")).code, 0);
  assertEquals(place.packed(), "a begun\na ended\n");
  Deno.truncateSync(place.target, 3);
  await place.pack("c");
  assertEquals(place.packed(), "c begun\nc ended\n");
  Deno.writeTextFileSync(place.target, "c begun\nx ended\n");
  await place.pack("d");
  assertEquals(place.packed(), "d begun\nd ended\n");
});

oracleTest("two of pack.sh do not take each other's file", ["busybox"], async () => {
  using place = new Place();
  const other = 'LABEL=b MEANWHILE= sh "$PACK" "$TARGET" /bin/true || echo failed >>"$LOG"';
  const { code, stderr } = await place.pack("a", other);
  assertEquals([code, place.packed()], [0, "a begun\na ended\n"], stderr);
  const seen = "synced a ended, while there is b begun\nb ended";
  assertEquals(place.log().slice(2).join("\n"), `synced b ended, while there is nothing\n${seen}`);
  assertEquals(place.names(), NAMES);
});

oracleTest("pack.sh leaves what was there if it fails or is ended", ["busybox"], async () => {
  using place = new Place();
  await place.pack("a");
  Deno.writeTextFileSync(`${place.target}.made-of`, "other files\n");
  for (const meanwhile of ["exit 1", "kill -TERM $PPID", "kill -HUP $PPID; exit 1"]) {
    assertEquals((await place.pack("b", meanwhile)).code, 1);
    assertEquals([place.packed(), place.names()], ["a begun\na ended\n", NAMES]);
  }
});

oracleTest("pack.sh packs no root without its libraries", ["busybox"], async () => {
  const scripts = [
    ["exit 1", "ldd does not tell what libraries /bin/true loads"],
    ["echo 'libx.so.1 => not found'", "libraries are missing: libx.so.1 => not found"],
  ] as const;
  using place = new Place();
  for (const [script, reason] of scripts) {
    place.tool("ldd", `#!/bin/sh\n${script}\n`);
    const { code, stderr } = await place.pack("a");
    assertEquals([code, place.names()], [1, []]);
    assertStringIncludes(stderr, reason);
  }
});

oracleTest("pack.sh needs ldd", ["busybox"], async () => {
  using place = new Place();
  using few = new TempDirectory();
  for (const name of ["head", "tail", "dirname", "readlink", "busybox"]) {
    const found = await run("sh", "-c", `command -v ${name}`);
    Deno.symlinkSync(found.stdout.trim(), few.file(name));
  }
  const { code, stderr } = await place.pack("a", "", few.path);
  assertEquals([code, stderr], [
    1,
    "tslosetup: ldd is missing: it tells what libraries are loaded\n",
  ]);
});

oracleTest("pack.sh replaces no folder", ["busybox"], async () => {
  using place = new Place();
  Deno.mkdirSync(place.target);
  const { code, stderr } = await place.pack("a");
  assertEquals([code, stderr], [1, `tslosetup: ${place.target} is no file to replace\n`]);
  assertEquals([...Deno.readDirSync(place.target)], []);
});

Deno.test("pack.sh says how to call it", async () => {
  for (const words of [[], ["a", "b", "c"]]) {
    const { code, stderr } = await run("sh", PACK, ...words);
    assertEquals([code, stderr], [1, "Usage: pack.sh FILE [PROGRAM]\n"]);
  }
});
