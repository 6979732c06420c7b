// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { asRoot, Nobody, statesIn } from "../../support/program.ts";
import { memoryWarning } from "../../support/rights.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { deviceTest, KIB, makeSparse, ownCommand } from "./device.ts";

/** How the program is run from a shell. */
function commandLine(...args: readonly string[]): string {
  return [...ownCommand(), "--transport", "fuse", ...args].join(" ");
}

/** Everything that an attach makes, as one text to compare. */
async function surroundings(image: string): Promise<string> {
  const devices = (await must("losetup", "-l", "-n", "-O", "NAME,BACK-FILE"))
    .split("\n").filter((line) => line.includes(image));
  const folders = ["/run/tslosetup", asRoot().stateDirectory];
  const states = folders.flatMap(statesIn).filter((state) => JSON.stringify(state).includes(image));
  return JSON.stringify([devices, states]);
}

/** Refused by one line that names what is missing and another way; nothing is left. */
async function assertRefused(
  image: string,
  result: { code: number; stdout: string; stderr: string },
  reason: RegExp,
): Promise<void> {
  assertEquals([result.code, result.stdout], [1, ""], result.stderr);
  const lines = result.stderr.trimEnd().split("\n");
  assertEquals(lines.length, 1, result.stderr);
  assertMatch(lines[0] ?? "", /^tslosetup: .*: failed to set up loop device: /);
  assertMatch(lines[0] ?? "", reason);
  assertStringIncludes(lines[0] ?? "", "--socket");
  assertEquals(await surroundings(image), "[[],[]]");
}

deviceTest("without CAP_SYS_ADMIN it says so and names --socket", ["setpriv"], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 64 * KIB);
  const caps = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
  const result = await run("setpriv", ...caps, "sh", "-c", commandLine("-f", "--show", image));
  await assertRefused(image, result, /CAP_SYS_ADMIN|privilege|root|not permitted/i);
});

deviceTest("as nobody it says what is missing and names --socket", ["setpriv"], async () => {
  using nobody = new Nobody();
  const image = nobody.write("disk", new Uint8Array(64 * KIB));
  const result = await nobody.program.run("--transport", "fuse", "-f", "--show", image);
  await assertRefused(image, result, /CAP_SYS_ADMIN|privilege|root|denied|permitted/i);
  assertEquals(nobody.program.processes(), []);
});

deviceTest("a device without an image is not taken for one", [], async () => {
  const device = (await must("losetup", "-f")).trim();
  const { code, stderr } = await asRoot().run("-f", "QCOW", device);
  const reason = "the device is empty: the image stands last, behind a device";
  assertEquals([code, stderr], [
    1,
    `tslosetup: ${device}: failed to set up loop device: ${reason}\n`,
  ]);
});

/** Ways to take something away from the program, in a mount namespace of its own. */
const MISSING: readonly { what: string; prepare: string; reason: RegExp }[] = [
  {
    what: "a /dev/fuse that it could make",
    prepare: "mount -t tmpfs none /mnt && cp -a /dev/loop* /dev/null /dev/urandom /mnt && " +
      "mount -o remount,ro /mnt && mount --bind /mnt /dev",
    reason: /FUSE.*\/dev\/fuse/,
  },
  {
    what: "a usable /dev/fuse",
    prepare: "mount --bind /dev/null /dev/fuse",
    reason: /FUSE|fuse/,
  },
  {
    what: "a loop driver",
    prepare: "mount -t tmpfs none /sys/class/misc && mount --bind /dev/null /proc/misc && " +
      "mount -t tmpfs none /mnt && cp -a /dev/fuse /dev/null /dev/urandom /mnt && " +
      "mount --bind /mnt /dev",
    reason: /loop driver/,
  },
];

for (const { what, prepare, reason } of MISSING) {
  deviceTest(`without ${what} it says so and names --socket`, ["unshare", "mount"], async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 64 * KIB);
    const script = `${prepare} && exec ${commandLine("-f", "--show", image)}`;
    await assertRefused(image, await run("unshare", "-m", "sh", "-c", script), reason);
  });
}

deviceTest("without the nodes of loop devices it makes them", ["unshare", "mount"], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 64 * KIB);
  const prepare = "mount -t tmpfs none /mnt && cp -a /dev/fuse /dev/null /dev/urandom /mnt && " +
    "mount --bind /mnt /dev";
  const attach = commandLine("-f", "--show", image);
  const script = `${prepare} && device=$(${attach}) && test -b $device && echo $device`;
  const { code, stdout, stderr } = await run("unshare", "-m", "sh", "-c", script);
  try {
    assertEquals([code, stderr], [0, memoryWarning(image)]);
  } finally {
    await asRoot().run("-d", stdout.trim());
  }
});

deviceTest("an image that is empty, too small or not there leaves nothing", [], async (t) => {
  using folder = new TempDirectory();
  const cases = {
    empty: [makeSparse(folder.file("empty"), 0), "the virtual disk is empty"],
    small: [makeSparse(folder.file("small"), 511), "smaller than a sector"],
    absent: [folder.file("absent"), "No such file or directory"],
  } as const;
  for (const [name, [image, reason]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const program = asRoot();
      const { code, stderr } = await program.run("--transport", "fuse", "-f", "--show", image);
      assertEquals(code, 1);
      assertStringIncludes(stderr, reason);
      assertEquals(program.processes(), []);
      assertEquals(await surroundings(image), "[[],[]]");
    });
  }
});

deviceTest("a damaged QCOW image is refused and leaves nothing", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 64 * KIB);
  const program = asRoot();
  const { code, stderr } = await program.run("--transport", "fuse", "-t", "QCOW", "-f", image);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: failed to set up loop device: .*\n$/);
  assertEquals(program.processes(), []);
  assertEquals(await surroundings(image), "[[],[]]");
});

for (
  const [what, device, file, reason] of [
    ["an nbd device", "/dev/nbd3", "IMAGE", "/dev/nbd3: transport 'fuse' makes loop devices"],
    ["image and device swapped", "IMAGE", "/dev/loop0", "the device comes first, then the image"],
  ] as const
) {
  Deno.test(`${what}: refused with what would be right, before anything is made`, async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 64 * KIB);
    const words = [device, file].map((word) => word === "IMAGE" ? image : word);
    const program = asRoot();
    const result = await program.run("-r", "--transport", "fuse", ...words);
    assertEquals([result.code, result.stdout], [1, ""]);
    assertMatch(result.stderr, /^tslosetup: .*: failed to set up loop device: .*\n$/);
    assertStringIncludes(result.stderr, reason);
    assertEquals(program.processes(), []);
  });
}
