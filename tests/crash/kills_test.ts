/**
 * Daemons that are killed at random moments while several clients write to a QCOW image or a LUKS
 * volume: what is left is valid, has what was flushed, and what was answered where that is promised, and
 * never what belongs elsewhere; the next daemon goes on with it.
 *
 * 50 kills, or as many as TSLOSETUP_KILLS says (`deno task test:kills`: 1,000).
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertLess } from "@std/assert";
import {
  makeOriginal,
  type Original,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { sameBytes } from "../format/opened_image.ts";
import { Random } from "../format/qcow/write/random_ops.ts";
import { pause } from "../support/patience.ts";
import { ExportedImage } from "../support/program.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../support/tools.ts";
import { runLoad } from "./load.ts";
import { TracedProcess } from "./traced_process.ts";
import { PipelinedClient } from "./pipelined_client.ts";
import { attach, contentOf, freeLeaks, isPlain, leaksIn, SCENES, unitBytesOf } from "./scenes.ts";
import { type AskedChange, WrittenDisk } from "./written_disk.ts";

const KILLS = Number(Deno.env.get("TSLOSETUP_KILLS") ?? 50);
const SEED = Number(Deno.env.get("TSLOSETUP_KILL_SEED") ?? 1);
const KIB = 1024;
const CLIENTS = 2;
const LONGEST_LOAD_MS = 500;
/** Long enough to see that nothing stays without its place for longer than a while. */
const LONG_LOAD_MS = 6000;
const LONGEST_DETACHING_MS = 60;
/** Twelve at once, of up to two clusters, stay far below what is kept ready for a tenth of a second. */
const PACE_MS = 50;
/** So many daemons of one image are killed; leaks are freed in between. */
const KILLS_AN_IMAGE = 4;
const KILLS_A_REPAIR = 3;
/** README.md says a second; a busy machine takes longer. */
const LATEST_MS = 5000;

const WRITETHROUGH = ["--cache", "writethrough"];
const OPTIONS: readonly [string[], ...string[][]] = [
  [],
  [],
  ["--detect-zeroes", "unmap"],
  WRITETHROUGH,
];

/** What became of all daemons of an image. */
class Figures {
  kills = 0;
  whileDetaching = 0;
  answered = 0;
  lost = 0;
  latestMs = 0;
  leaks = 0;

  add({ answered }: WrittenDisk, lost: Iterable<AskedChange>, killedMs: number): void {
    this.answered += answered;
    for (const { endedMs } of lost) {
      this.lost++;
      this.latestMs = Math.max(this.latestMs, killedMs - endedMs);
    }
  }

  toString(): string {
    const late = this.lost > 0
      ? `, the oldest ${Math.round(this.latestMs)} ms before the kill`
      : "";
    return `${this.kills} kills (${this.whileDetaching} of them while detaching), ` +
      `${this.answered} changes answered, ${this.lost} lost that were not flushed${late}, ` +
      `at most ${this.leaks} clusters leaked`;
  }
}

/** Several connections. */
class Clients implements AsyncDisposable {
  private constructor(readonly clients: readonly PipelinedClient[]) {}

  static async connect(socket: string): Promise<Clients> {
    const connecting = Array.from({ length: CLIENTS }, () => PipelinedClient.connect(socket));
    return new Clients(await Promise.all(connecting));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client[Symbol.asyncDispose]();
  }
}

/** An image that one daemon after the other serves and leaves. */
class KilledImage {
  readonly #figures: Figures;
  readonly #original: Original;
  readonly #folder: TempDirectory;
  readonly #random: Random;
  /**
   * Whether all that is answered is kept: nothing but writes is asked for, not too many at once, and no
   * killed daemon has left free clusters inside the file.
   */
  #isPlain: boolean;
  #content: Uint8Array = new Uint8Array();
  #nextId = 1;
  #killedMs = 0;

  constructor(
    original: Original,
    folder: TempDirectory,
    { seed, figures }: { readonly seed: number; readonly figures: Figures },
  ) {
    this.#figures = figures;
    this.#original = original;
    this.#folder = folder;
    this.#random = new Random(seed);
    this.#isPlain = isPlain(original.recipe) && seed % 2 === 0;
  }

  async open(): Promise<void> {
    this.#content = await contentOf(this.#original);
  }

  /** Has a daemon serve it, kills that, and looks at what it leaves. */
  async serveAndKill(): Promise<void> {
    const random = this.#random;
    const options = random.oneOf(OPTIONS);
    // A volume is written to in place.
    const keepsAll = options === WRITETHROUGH || this.#isPlain ||
      this.#original.recipe.encryption === "volume";
    const disk = new WrittenDisk({ content: this.#content, keepsAnswered: keepsAll });
    {
      await using exported = await attach(this.#original, this.#folder, options);
      const isSlow = random.below(4) === 0;
      const log = this.#folder.file("calls");
      await using _traced = isSlow ? await TracedProcess.slowDown(exported.pid, log) : undefined;
      const end = random.below(5) === 0 ? this.#killDetaching : this.#killAtWork;
      await end.call(this, exported, disk);
    }
    this.#figures.kills++;
    this.#isPlain = false;
    const leaks = await leaksIn(this.#original);
    this.#figures.leaks = Math.max(this.#figures.leaks, leaks);
    const found = await contentOf(this.#original);
    this.#judge(disk, found);
    this.#figures.add(disk, disk.lost(found), this.#killedMs);
    this.#content = found;
    if (this.#figures.kills % KILLS_A_REPAIR === 0) await this.#repair();
  }

  async #killAtWork(exported: ExportedImage, disk: WrittenDisk): Promise<void> {
    await using clients = await Clients.connect(exported.socket);
    const working = this.#work(clients, disk, () => true);
    const isLong = this.#random.below(12) === 0;
    await pause(isLong ? LONG_LOAD_MS : this.#random.below(LONGEST_LOAD_MS));
    this.#kill(exported);
    await working;
    await exported.ended();
  }

  #kill({ pid }: ExportedImage): void {
    this.#killedMs = performance.now();
    Deno.kill(pid, "SIGKILL");
  }

  async #killDetaching(exported: ExportedImage, disk: WrittenDisk): Promise<void> {
    const untilMs = performance.now() + this.#random.below(LONGEST_LOAD_MS);
    {
      await using clients = await Clients.connect(exported.socket);
      await this.#work(clients, disk, () => performance.now() < untilMs);
    }
    this.#figures.whileDetaching++;
    const detaching = exported.program.run("-d", exported.socket);
    await pause(this.#random.below(LONGEST_DETACHING_MS));
    const wasFaster = !exported.isRunning;
    if (!wasFaster) this.#kill(exported);
    const { code } = await detaching;
    if (wasFaster && code === 0) disk.concluded();
    await exported.ended();
  }

  /** Makes changes for a while. */
  async #work({ clients }: Clients, disk: WrittenDisk, goesOn: () => boolean): Promise<void> {
    const { recipe } = this.#original;
    const unitBytes = unitBytesOf(recipe);
    const limits = {
      sizeBytes: recipe.sizeBytes,
      mostBytes: this.#isPlain ? unitBytes : Math.min(16 * unitBytes, 512 * KIB),
      unitBytes,
    };
    const random = this.#random;
    this.#nextId = await runLoad({
      disk,
      clients,
      limits,
      random,
      goesOn,
      paceMs: this.#isPlain ? PACE_MS : 0,
      flushEvery: random.oneOf([1, 5, 30]),
      firstId: this.#nextId,
    });
  }

  #judge(disk: WrittenDisk, found: Uint8Array): void {
    const wrong = disk.wrongAfterCrash(found);
    const told = wrong.slice(0, 4).map((sector) => disk.tell(sector, found));
    assertEquals(told, [], `${wrong.length} sectors have what they cannot have`);
  }

  async #repair(): Promise<void> {
    await freeLeaks(this.#original);
    assertEquals(await leaksIn(this.#original), 0);
    if (!sameBytes(await contentOf(this.#original), this.#content)) throw new Error("other bytes");
  }

  /** Has a last daemon serve it, which ends in order. */
  async conclude(): Promise<void> {
    const before = await leaksIn(this.#original);
    const disk = new WrittenDisk({ content: this.#content, keepsAnswered: true });
    await using exported = await attach(this.#original, this.#folder);
    const untilMs = performance.now() + LONGEST_LOAD_MS;
    {
      await using clients = await Clients.connect(exported.socket);
      await this.#work(clients, disk, () => performance.now() < untilMs);
    }
    await exported.detach();
    const found = await contentOf(this.#original);
    this.#judge(disk, found);
    assertLess(await leaksIn(this.#original), before + 1);
  }
}

/** Has the daemons of several images of one kind be killed. */
async function campaign(
  recipe: OriginalRecipe,
  firstSeed: number,
  kills: number,
): Promise<Figures> {
  const figures = new Figures();
  for (let seed = firstSeed; figures.kills < kills; seed += 1009) {
    using folder = new TempDirectory(memoryFolder());
    const original = await makeOriginal(folder.path, recipe);
    const image = new KilledImage(original, folder, { seed, figures });
    await image.open();
    for (let n = 0; n < KILLS_AN_IMAGE && figures.kills < kills; n++) {
      await told(`daemon ${n} of seed ${seed}`, () => image.serveAndKill());
    }
    await told(`the last daemon of seed ${seed}`, () => image.conclude());
  }
  return figures;
}

async function told(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw new Error(what, { cause: error });
  }
}

for (const [index, recipe] of SCENES.entries()) {
  const kills = Math.floor((KILLS + index) / SCENES.length);
  if (kills === 0) continue;
  oracleTest(
    `daemons are killed that write to an image: ${recipe.name}`,
    [...ORIGINAL_TOOLS, "strace"],
    async (t) => {
      const figures = await campaign(recipe, SEED * 100 + index, kills);
      await t.step(`${figures}`, () => assertLess(figures.latestMs, LATEST_MS));
    },
  );
}
