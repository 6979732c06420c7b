// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { listed, nothingBelow, VIEW, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io"] as const;

async function makeImage(folder: TempDirectory, ...how: readonly string[]): Promise<string> {
  const [raw, image] = [folder.file("raw"), folder.file("disk.qcow2")];
  Deno.writeFileSync(raw, new Uint8Array(1024 * 1024).fill(1));
  await must("qemu-img", "convert", ...how, "-f", "raw", "-O", "qcow2", raw, image);
  return image;
}

/** Which transport an attach takes where none is named, and what it says of that. */
async function chosen(
  image: string,
  ...options: readonly string[]
): Promise<{ transport: unknown; why: string }> {
  const program = asRoot();
  const { code, stdout, stderr } = await program.run("-v", ...options, "--find", "--show", image);
  assertEquals(code, 0, stderr);
  const device = stdout.trim();
  try {
    const row = await listed(program, device);
    assertEquals(Deno.readFileSync(device)[0], 1);
    return { transport: row?.["transport"], why: stderr.split("\n")[0] ?? "" };
  } finally {
    await program.must("-d", device);
    await nothingBelow();
  }
}

viewTest("what is only read is shown by a view, where nothing else is said", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeImage(folder);
  for (const format of ["QCOW", "auto"]) {
    const { transport, why } = await chosen(image, "-r", "-t", format);
    assertEquals(transport, "view");
    assertEquals(
      why,
      "tslosetup: transport view: the kernel itself can read the image, or most of it",
    );
  }
});

for (
  const [what, options] of [
    ["is not asked for read-only", []],
    ["has a number of threads", ["-r", "--threads", "1"]],
    ["has caches", ["-r", "--data-cache-size", "1M"]],
  ] as const
) {
  viewTest(`what ${what} gets a server`, TOOLS, async () => {
    using folder = new TempDirectory();
    const { transport, why } = await chosen(await makeImage(folder), "-t", "QCOW", ...options);
    assertMatch(`${transport}`, /^(nbd|fuse)$/);
    assertMatch(why, /^tslosetup: transport (nbd|fuse): the kernel has (it|no nbd)$/);
  });
}

viewTest("compressed clusters have a server read them, and -v says so", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = await makeImage(folder, "-c");
  const { transport, why } = await chosen(image, "-r", "-t", "QCOW");
  assertMatch(`${transport}`, /^(nbd|fuse)$/);
  assertMatch(why, /^tslosetup: transport .*; no view: all of its clusters are compressed/);
});

viewTest("an image on a RAW one gets no view by itself", TOOLS, async () => {
  using folder = new TempDirectory();
  await makeImage(folder);
  const image = folder.file("top");
  const below = ["-b", folder.file("raw"), "-F", "raw"];
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...below, image);
  const { transport, why } = await chosen(image, "-r", "-t", "QCOW");
  assertMatch(`${transport}`, /^(nbd|fuse)$/);
  assertMatch(why, /no view: it lies on, or consists of, files that others may take for disks/);
});

/** What a kernel, a sandbox or a container may refuse of a view, each in turn. */
const REFUSALS: readonly (readonly [call: string, which: string, error: string])[] = [
  ["fsopen", "1", "ENODEV"],
  ["fsopen", "1", "EPERM"],
  ["fsopen", "1", "ENOSYS"],
  ["memfd_create", "1+", "EPERM"],
  ["fsconfig", "1", "EINVAL"],
  ["fsconfig", "4", "ENOTBLK"],
  ["fsmount", "1", "EPERM"],
];

/** The calls are the first thread's: so the daemon is not traced, which would keep strace from ending. */
viewTest("where the kernel refuses, a server takes over", [...TOOLS, "strace"], async () => {
  using folder = new TempDirectory();
  const image = await makeImage(folder);
  const program = asRoot();
  for (const [call, which, error] of REFUSALS) {
    const refusal = `--inject=${call}:error=${error}:when=${which}`;
    const strace = ["strace", "-qq", "-o", "/dev/null", `--trace=${call}`, refusal];
    const words = ["-v", "-r", "-t", "QCOW", "--find", "--show", image];
    const [enter = "", ...args] = [...strace, ...program.command, ...words];
    const { code, stdout, stderr } = await run(enter, ...args);
    assertEquals(code, 0, stderr);
    const device = stdout.trim();
    try {
      assertMatch(stderr, /^tslosetup: transport (nbd|fuse): .*; no view: .+\n$/, refusal);
      assertEquals(Deno.readFileSync(device)[0], 1);
      await nothingBelow();
    } finally {
      await program.must("-d", device);
    }
    const named = [...strace, ...program.command, ...VIEW, ...words.slice(1)].slice(1);
    const alone = await run("strace", ...named);
    assertEquals([alone.code, alone.stdout], [1, ""], refusal);
    assertMatch(alone.stderr, /^tslosetup: .*: failed to set up loop device: .*\n$/);
    await nothingBelow();
  }
});
