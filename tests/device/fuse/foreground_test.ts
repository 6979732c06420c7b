/**
 * `--foreground` with a real device: how it ends.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import { asRoot, exists, type Finished, type SeenState, statesIn } from "../../support/program.ts";
import { TempDirectory } from "../../support/tools.ts";
import { deviceTest, FUSE, isAttached, makeSparse, MIB } from "./device.ts";

/** A device in the foreground. */
class Foreground implements Disposable {
  readonly #folder = new TempDirectory();
  readonly #image = makeSparse(this.#folder.file("disk"), MIB);
  readonly #pidFile = this.#folder.file("pid");
  readonly #program = asRoot();
  readonly end: Promise<Finished>;

  constructor(...options: readonly string[]) {
    const stay = ["--foreground", "--pid-file", this.#pidFile];
    this.end = this.#program.run(...FUSE, ...options, ...stay, "-t", "RAW", "-f", this.#image);
  }

  async ready(): Promise<SeenState> {
    await eventually(() => exists(this.#pidFile), "the device to be ready");
    const image = Deno.realPathSync(this.#image);
    const state = statesIn(this.#program.stateDirectory).find((one) => one.image === image);
    assert(state);
    return state;
  }

  /** Process id of the command. */
  get pid(): number {
    return Number(Deno.readTextFileSync(this.#pidFile));
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

deviceTest("--foreground fails as soon as its daemon is killed for good", [], async () => {
  for (const readOnly of [[], ["-r"]]) {
    using foreground = new Foreground("--no-revive", ...readOnly);
    const { pid, device } = await foreground.ready();
    Deno.kill(pid, "SIGKILL");
    const { code, stderr } = await foreground.end;
    assertEquals(code, 1);
    assertStringIncludes(stderr, `tslosetup: ${device}: its daemon (pid ${pid}) was killed`);
    assertEquals(stderr.includes("may not have reached the disk"), readOnly.length === 0);
    assert(!isAttached(device));
  }
});

deviceTest("--foreground does not mind to be told several times to end", [], async () => {
  using foreground = new Foreground();
  const { device } = await foreground.ready();
  const { pid } = foreground;
  for (let times = 0; times < 3; times++) Deno.kill(pid, "SIGTERM");
  Deno.kill(pid, "SIGINT");
  const { code, stderr } = await foreground.end;
  assertEquals([code, stderr.includes("failed")], [0, false], stderr);
  assert(!isAttached(device));
});
