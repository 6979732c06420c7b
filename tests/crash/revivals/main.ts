/**
 * Kills the daemons of mounted devices, as often as asked for: nothing may be seen of that.
 *
 *     deno task test:revivals [KILLS [KEEPING...]]
 *
 * In a mount namespace of its own: a copy of a mount that somebody else's has would keep its device.
 *
 * @module
 */
import { O_NONBLOCK, O_RDONLY, openFile } from "../../../src/sys/files.ts";
import { libc, openLibc } from "../../../src/sys/libc.ts";
import { IoBuffer } from "../../../src/sys/memory.ts";
import { randomNumbers } from "../../support/images.ts";
import { pause } from "../../support/patience.ts";
import { TempDirectory } from "../../support/tools.ts";
import { type FileSystem, KEEPINGS, Scene } from "./scene.ts";

const FILE_SYSTEMS: readonly FileSystem[] = ["ext4", "xfs"];
const DEFAULT_KILLS = 200;
/** So many devices at least: each may have its daemon killed four times in a minute. */
const DEVICES = 12;
const LONGEST_PAUSE_MS = 1500;
const SEEK_END = 2;
/** Of the kernel's log, at most (kernel/printk/printk.c, PRINTK_MESSAGE_MAX). */
const RECORD_BYTES = 8192;

async function beginAll(folder: TempDirectory, keepings: readonly string[]): Promise<Scene[]> {
  const kinds = KEEPINGS.filter((keeping) => keepings.length === 0 || keepings.includes(keeping))
    .flatMap((keeping) => FILE_SYSTEMS.map((fileSystem) => ({ keeping, fileSystem })));
  const scenes: Scene[] = [];
  for (let number = 0; number * kinds.length < DEVICES; number++) {
    for (const kind of kinds) scenes.push(await Scene.make(folder, { ...kind, number }));
  }
  for (const scene of scenes) await scene.begin();
  return scenes;
}

async function main([kills = `${DEFAULT_KILLS}`, ...keepings]: readonly string[]): Promise<number> {
  openLibc();
  using folder = new TempDirectory();
  const random = randomNumbers(Date.now() % 1000);
  using log = new KernelLog();
  const scenes = await beginAll(folder, keepings);
  let done = 0;
  let longestMs = 0;
  while (done < Number(kills)) {
    const able = scenes.filter(({ mayBeKilled }) => mayBeKilled);
    const scene = able[Math.floor(random() * able.length)];
    if (scene !== undefined) {
      const start = performance.now();
      await scene.kill();
      longestMs = Math.max(longestMs, performance.now() - start);
      done++;
    }
    await pause(random() * LONGEST_PAUSE_MS);
  }
  const lines = log.text;
  let faults = 0;
  for (const scene of scenes) {
    const { name, kills } = scene;
    const found = await scene.end(lines);
    faults += found.length;
    say(`${name}: killed ${kills} times, ${found.length} faults`);
    for (const fault of found) say(`  ${fault}`);
  }
  say(`${done} kills, ${faults} faults, the longest pause took ${Math.round(longestMs)} ms`);
  return faults === 0 ? 0 : 1;
}

/** What the kernel logs from now on. */
class KernelLog implements Disposable {
  readonly #fd = openFile("/dev/kmsg", O_RDONLY | O_NONBLOCK);

  constructor() {
    libc().lseek(this.#fd.number, 0, SEEK_END);
  }

  /** Each read brings one record, and none waits for the next one. */
  get text(): string {
    const buffer = new IoBuffer(RECORD_BYTES);
    let text = "";
    for (;;) {
      const count = libc().read(this.#fd.number, buffer.address, buffer.size);
      if (count <= 0) return text;
      text += new TextDecoder().decode(buffer.bytes.subarray(0, count));
    }
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

Deno.exit(await main(Deno.args));
