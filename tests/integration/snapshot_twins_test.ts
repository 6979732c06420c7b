/**
 * Random changes of snapshots and disks, by the program and by qemu: both images have the same snapshots,
 * and the same content in each.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { imageOptions, SECRET_OBJECT } from "../support/encrypted.ts";
import { asRoot } from "../support/program.ts";
import { memoryFolder, must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { sameBytes } from "../format/opened_image.ts";
import {
  makeOriginal,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
  recipeOf,
} from "../format/qcow/write/originals.ts";
import { Random } from "../format/qcow/write/random_ops.ts";

/** How many changes each pair sees; campaigns make 200. */
const CHANGES = Number(Deno.env.get("TSLOSETUP_TWIN_CHANGES") ?? 40);
/** After so many, all contents are compared. */
const COMPARED_EVERY = 20;
const MOST_SNAPSHOTS = 8;
const KIB = 1024;
const program = asRoot();

const RECIPES = [
  "64 KiB",
  "empty, 512 B",
  "compressed, 64 KiB, zstd",
  "snapshot, 512 B, compressed",
  "version 2",
  "zero clusters, backed",
  "extended L2, backed",
  "extended L2, compressed",
  "LUKS",
  "counts of 8 bits",
  "counts of 64 bits",
].map(recipeOf);

/** A snapshot, as far as two images can have the same. */
interface Listed {
  readonly id: string;
  readonly name: string;
  readonly size: number;
}

class Twin {
  readonly path: string;
  readonly #recipe: OriginalRecipe;

  constructor(path: string, recipe: OriginalRecipe) {
    this.path = path;
    this.#recipe = recipe;
  }

  /** How qemu's tools are told which image it is. */
  #args(more: readonly string[] = []): string[] {
    if (this.#recipe.encryption === undefined) return ["-f", "qcow2", ...more, this.path];
    return [...SECRET_OBJECT, ...more, "--image-opts", imageOptions(this.path, "qcow2")];
  }

  async write(commands: readonly string[]): Promise<void> {
    const words = commands.flatMap((command) => ["-c", command]);
    await must("qemu-io", ...this.#args(["-t", "unsafe", ...words]));
  }

  /** Has qemu change a snapshot. */
  async snapshot(letter: string, name: string): Promise<void> {
    const isPlain = this.#recipe.encryption === undefined;
    const image = isPlain ? [this.path] : ["--image-opts", imageOptions(this.path, "qcow2")];
    await must("qemu-img", "snapshot", ...SECRET_OBJECT, "-q", letter, name, ...image);
  }

  async info(): Promise<{ readonly snapshots: Listed[]; readonly sizeBytes: number }> {
    const info = JSON.parse(await must("qemu-img", "info", "--output=json", this.path));
    const snapshots = (info.snapshots ?? []) as Record<string, unknown>[];
    return {
      sizeBytes: info["virtual-size"],
      snapshots: snapshots.map(({ id, name, "vm-state-size": size }) => ({
        id: `${id}`,
        name: `${name}`,
        size: Number(size),
      })),
    };
  }

  async mustBeClean(what: string): Promise<void> {
    const { code, stdout } = await run("qemu-img", "check", ...this.#args());
    assertEquals(code, 0, `${what}: ${stdout}`);
  }

  /** The disk, or that of a snapshot, as a file. */
  async convert(to: string, id?: string): Promise<Uint8Array> {
    const which = id === undefined ? [] : ["-l", `snapshot.id=${id}`];
    await must("qemu-img", "convert", ...this.#args(["-O", "raw", ...which]), to);
    return Deno.readFileSync(to);
  }
}

class Pair {
  readonly ours: Twin;
  readonly theirs: Twin;
  readonly #random: Random;
  readonly #folder: TempDirectory;
  readonly #maySize: boolean;
  #names = 0;

  constructor(folder: TempDirectory, path: string, recipe: OriginalRecipe) {
    this.#folder = folder;
    const other = `${path}.twin`;
    Deno.copyFileSync(path, other);
    this.ours = new Twin(path, recipe);
    this.theirs = new Twin(other, recipe);
    this.#random = new Random(recipe.sizeBytes + recipe.name.length);
    this.#maySize = !recipe.options.includes("compat=0.10") && recipe.encryption === undefined;
  }

  /** Changes both; returns what was done. */
  async change(): Promise<string> {
    const random = this.#random;
    const { snapshots, sizeBytes } = await this.theirs.info();
    const one = snapshots[random.below(Math.max(1, snapshots.length))];
    const kind = random.below(10);
    if (kind < 3 && snapshots.length < MOST_SNAPSHOTS) {
      // Sometimes the name of one that there is.
      const name = random.below(6) === 0 && one !== undefined ? one.name : `n${this.#names++}`;
      return await this.#snapshot("create", "-c", name);
    }
    if (kind < 5 && one !== undefined) {
      return await this.#snapshot("apply", "-a", random.below(2) === 0 ? one.id : one.name);
    }
    if (kind < 7 && one !== undefined) return await this.#snapshot("delete", "-d", one.name);
    if (kind === 7 && this.#maySize && random.below(3) === 0) return await this.#grow();
    return await this.#write(sizeBytes);
  }

  async #snapshot(action: string, letter: string, name: string): Promise<string> {
    await program.must(`--snapshot-${action}`, name, this.ours.path);
    await this.theirs.snapshot(letter, name);
    return `${action} ${name}`;
  }

  async #grow(): Promise<string> {
    const more = `+${64 * (1 + this.#random.below(4))}K`;
    for (const { path } of [this.ours, this.theirs]) {
      await must("qemu-img", "resize", "-q", "-f", "qcow2", path, more);
    }
    return `resize ${more}`;
  }

  async #write(sizeBytes: number): Promise<string> {
    const random = this.#random;
    const commands = Array.from({ length: 1 + random.below(4) }, () => {
      const offset = random.below(sizeBytes / 512) * 512;
      const most = Math.min(sizeBytes - offset, 64 * KIB) / 512;
      const length = 512 * (1 + random.below(most));
      const pattern = 1 + random.below(255);
      const verb = random.oneOf([
        `write -P ${pattern}`,
        `write -P ${pattern}`,
        "write -z",
        "discard",
      ]);
      return `${verb} -q ${offset} ${length}`;
    });
    for (const twin of [this.ours, this.theirs]) await twin.write(commands);
    return commands.join("; ");
  }

  async compareSnapshots(what: string): Promise<void> {
    assertEquals(await this.ours.info(), await this.theirs.info(), what);
    await this.ours.mustBeClean(what);
  }

  async compareContents(what: string): Promise<void> {
    const { snapshots } = await this.theirs.info();
    const file = this.#folder.file("converted");
    for (const id of [undefined, ...snapshots.map(({ id }) => id)]) {
      const ours = await this.ours.convert(file, id);
      assert(sameBytes(ours, await this.theirs.convert(file, id)), `${what}: ${id ?? "the disk"}`);
    }
  }
}

for (const recipe of RECIPES) {
  oracleTest(
    `snapshots are as qemu's, whatever comes: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const { path } = await makeOriginal(folder.path, recipe);
      const pair = new Pair(folder, path, recipe);
      for (let index = 1; index <= CHANGES; index++) {
        const done = await pair.change();
        await pair.compareSnapshots(`change ${index}: ${done}`);
        if (index % COMPARED_EVERY === 0 || index === CHANGES) {
          await pair.compareContents(`after change ${index}`);
        }
      }
    },
  );
}
