/**
 * The compiled binary end to end on a real kernel: attach, use, detach, and everything that goes wrong.
 *
 * Each part is a script in acceptance/, which ends with nothing attached; a guest runs several of them.
 * TSLOSETUP_BINARY names the binary; without it, it is the one of `deno task compile`.
 *
 * @module
 */
import { makeImages } from "./acceptance_images.ts";
import { TempDirectory } from "../../support/tools.ts";
import { kernelTest } from "./kernels.ts";
import { type GuestReport, type Kernel, runGuest, stepsOf } from "./uml.ts";

/** Which parts share a guest: guests run two at a time, and should take about as long. */
const GUESTS: readonly (readonly string[])[] = [
  ["reading", "writing", "refused", "view"],
  ["killed", "cycles", "container", "sectors"],
  ["receivers", "lazy", "detaching", "partitions", "listing", "fuse"],
  ["switch_root"],
  ["overlays"],
  ["snapshots"],
  ["revival"],
];
const AT_ONCE = 2;

const FOLDER = new URL("acceptance/", import.meta.url).pathname;

/** @throws {Error} if there is nothing to test */
function binary(): string {
  const built = new URL("../../../dist/tslosetup", import.meta.url).pathname;
  const path = Deno.env.get("TSLOSETUP_BINARY") ?? built;
  try {
    return Deno.realPathSync(path);
  } catch {
    throw new Error(`no binary to test at ${path}: run \`deno task compile\` first`);
  }
}

function script(parts: readonly string[]): string {
  return ["common", ...parts].map((part) => `source ${FOLDER}${part}.sh`).join("\n");
}

/** Runs every guest, some at once, and returns their reports as they were asked for. */
async function runGuests(
  kernel: Kernel,
  env: Readonly<Record<string, string>>,
): Promise<GuestReport[]> {
  const reports: GuestReport[] = [];
  const waiting = [...GUESTS.entries()];
  const runner = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, parts] = next;
      const options = { kernel, env, memory: "2G" };
      reports[place] = await runGuest(script(parts), options);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
  return reports;
}

await kernelTest("attach and detach in user-mode Linux", async (t, kernel) => {
  const program = binary();
  using folder = new TempDirectory();
  await makeImages(folder.path);
  const reports = await runGuests(kernel, { program, images: folder.path });
  for (const [place, parts] of GUESTS.entries()) {
    const report = reports[place];
    await t.step(parts.join(", "), (inner) => stepsOf(inner, report as GuestReport));
  }
});
