/**
 * Daemons of nbd devices that are killed below mounted file systems, in user-mode Linux (`deno task test:revivals`):
 * ext4 and XFS on RAW and QCOW images and on layers see nothing of it. On each kernel there is, or on those whose
 * program's path has the given text in it.
 *
 *     deno run -A tests/kernel/uml/kills.ts [KILLS [KERNEL]]
 *
 * @module
 */
import { TempDirectory } from "../../support/tools.ts";
import { listedKernels } from "./kernels.ts";
import { type Kernel, runGuest } from "./uml.ts";

const KILLS = 200;
/** On each of six devices: fewer than five within a minute. */
const PAUSE_SECONDS = 3;
/** For all that a kill takes on a machine that is busy. */
const MINUTES_PER_KILL = 0.3;
/** For everything else. */
const MORE_MINUTES = 15;
const FOLDER = new URL(".", import.meta.url).pathname;
const SCRIPT = ["acceptance/common.sh", "kills.sh"].map((name) => `source ${FOLDER}${name}`);

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** @returns how much has failed */
async function killOn(kernel: Kernel, kills: number): Promise<number> {
  const built = new URL("../../../dist/tslosetup", import.meta.url).pathname;
  const program = Deno.realPathSync(Deno.env.get("TSLOSETUP_BINARY") ?? built);
  using images = new TempDirectory();
  const env = { program, images: images.path, kills: `${kills}`, pause: `${PAUSE_SECONDS}` };
  const timeLimitMinutes = kills * MINUTES_PER_KILL + MORE_MINUTES;
  const options = { kernel, env, memory: "3G", timeLimitMinutes };
  const { checks, finished } = await runGuest(SCRIPT.join("\n"), options);
  for (const { name, passed, details } of checks) {
    say(passed ? `ok ${name}` : `not ok ${name}: ${details}`);
  }
  if (!finished) say("not ok: the guest did not get to its end");
  return checks.filter(({ passed }) => !passed).length + (finished ? 0 : 1);
}

const [kills = KILLS, wanted] = Deno.args;
let failed = 0;
for (const kernel of listedKernels(Deno.env.get("TSLOSETUP_KERNELS"))) {
  if (wanted !== undefined && !kernel.program.includes(wanted)) continue;
  say(`# ${kernel.program}`);
  failed += await killOn(kernel, Number(kills));
}
Deno.exit(failed === 0 ? 0 : 1);
