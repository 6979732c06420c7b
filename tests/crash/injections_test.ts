/**
 * The daemon of a QCOW image is killed, or fails, at each of the calls by which it changes the image: what
 * it says of each change is so, and what it leaves is valid.
 *
 * A sample; all of them, of all kinds of images, by TSLOSETUP_INJECTIONS=all (`deno task test:faults`).
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import {
  makeOriginal,
  type Original,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { type Op, Random, randomOp } from "../format/qcow/write/random_ops.ts";
import { NbdClient, NbdFailure } from "../integration/nbd_client.ts";
import type { ExportedImage } from "../support/program.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../support/tools.ts";
import { type Injection, TracedProcess } from "./traced_process.ts";
import { hasHungUp } from "./load.ts";
import { attach, contentOf, leaksIn, SCENES, unitBytesOf } from "./scenes.ts";
import { WrittenDisk } from "./written_disk.ts";

/** So many of each kind of image. */
const WANTED = Deno.env.get("TSLOSETUP_INJECTIONS") ?? "5";
const LIMIT = WANTED === "all" ? Infinity : Number(WANTED);
/** Without the variable, so many kinds of images. */
const KINDS = WANTED === "all" ? SCENES.length : 10;
const OPS = 24;
const EFFECTS: readonly Injection["effect"][] = ["signal=SIGKILL", "error=EIO", "error=ENOSPC"];

/** An image that is written to in the same way again and again. */
class ScriptedImage {
  readonly #original: Original;
  readonly #folder: TempDirectory;
  readonly #ops: readonly Op[];
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #content: Uint8Array;
  /** How often what. */
  readonly outcomes = new Map<string, number>();

  private constructor(original: Original, folder: TempDirectory, content: Uint8Array) {
    const { path, dataPath, recipe } = original;
    this.#original = original;
    this.#folder = folder;
    this.#content = content;
    const paths = [path, ...dataPath === undefined ? [] : [dataPath]];
    this.#files = new Map(paths.map((name) => [name, Deno.readFileSync(name)]));
    const unitBytes = unitBytesOf(recipe);
    const limits = { sizeBytes: recipe.sizeBytes, mostBytes: 4 * unitBytes, unitBytes };
    const random = new Random(recipe.name.length);
    this.#ops = Array.from({ length: OPS }, (_, n) => randomOp(random, limits, n + 1));
  }

  static async make(folder: TempDirectory, recipe: OriginalRecipe): Promise<ScriptedImage> {
    const original = await makeOriginal(folder.path, recipe);
    return new ScriptedImage(original, folder, await contentOf(original));
  }

  /** All there are, by what happens if nothing is injected. */
  async injections(): Promise<Injection[]> {
    const counts = await this.run();
    return [...counts].flatMap(([call, most]) =>
      Array.from(
        { length: most },
        (_, n) => EFFECTS.map((effect) => ({ call, number: n + 1, effect })),
      )
        .flat()
    );
  }

  /** Makes all changes, detaches the image, and judges what is left. */
  async run(injection?: Injection): Promise<ReturnType<TracedProcess["counts"]>> {
    for (const [path, bytes] of this.#files) Deno.writeFileSync(path, bytes);
    const disk = new WrittenDisk({ content: this.#content, keepsAnswered: false });
    await using exported = await attach(this.#original, this.#folder);
    const log = this.#folder.file("calls");
    await using traced = injection === undefined
      ? await TracedProcess.trace(exported.pid, log)
      : await TracedProcess.inject(exported.pid, log, injection);
    let outcome = await this.#change(exported, disk);
    const { code } = await exported.program.run("-d", exported.socket);
    await exported.ended();
    // Where it was killed before, -d only clears up.
    if (code === 0 && !traced.wasKilled) disk.concluded();
    else if (outcome !== "killed") outcome += ", not closed in order";
    await leaksIn(this.#original);
    const wrong = disk.wrongAfterCrash(await contentOf(this.#original));
    const told = wrong.slice(0, 3).map((sector) => disk.tell(sector, this.#content));
    assertEquals(told, [], `${wrong.length} sectors have what they cannot have`);
    if (injection !== undefined) this.#count(`${injection.call} ${injection.effect}: ${outcome}`);
    else assertEquals(outcome, "all succeeded");
    return traced.counts();
  }

  #count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  async #change(exported: ExportedImage, disk: WrittenDisk): Promise<string> {
    using client = await NbdClient.connect(exported.socket);
    let failures = 0;
    try {
      for (const op of this.#ops) if (!await makeOne(client, disk, op)) failures++;
      const found = await client.read(0, disk.sizeBytes);
      assertEquals(disk.wrongWhileServed(found), [], "wrong while it is served");
    } catch (error) {
      if (!hasHungUp(error)) throw error;
      return "killed";
    }
    return failures === 0 ? "all succeeded" : failures === 1 ? "one failed" : "several failed";
  }
}

/** Whether it succeeded. */
async function makeOne(client: NbdClient, disk: WrittenDisk, op: Op): Promise<boolean> {
  const change = op.kind === "flush" ? undefined : disk.begin(op);
  const flushed = disk.beginFlush();
  try {
    await client.change(op);
    if (change === undefined) flushed();
    else disk.end(change, false);
    return true;
  } catch (error) {
    if (!(error instanceof NbdFailure)) throw error;
    if (change !== undefined) disk.fail(change);
    return false;
  }
}

/** Some of them, or all. */
function sample(all: readonly Injection[], most: number): readonly Injection[] {
  if (most >= all.length) return all;
  const random = new Random(all.length);
  return Array.from({ length: most }, () => all[random.below(all.length)])
    .filter((one) => one !== undefined);
}

for (const recipe of SCENES.slice(0, KINDS)) {
  oracleTest(
    `daemons are killed, or fail, at a call that changes an image: ${recipe.name}`,
    [...ORIGINAL_TOOLS, "strace"],
    async (t) => {
      using folder = new TempDirectory(memoryFolder());
      const image = await ScriptedImage.make(folder, recipe);
      const injections = await image.injections();
      assert(injections.length > 0);
      for (const injection of sample(injections, LIMIT)) {
        try {
          await image.run(injection);
        } catch (error) {
          throw new Error(JSON.stringify(injection), { cause: error });
        }
      }
      const figures = [...image.outcomes].map(([outcome, count]) => `${count} times ${outcome}`);
      await t.step(`of ${injections.length}: ${figures.toSorted().join("; ")}`, () => {});
    },
  );
}
