// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { asRoot, exists, ExportedImage, mustSoon } from "../support/program.ts";
import { QemuNbd } from "../support/qemu_nbd.ts";
import { oracleTest, run, TempDirectory } from "../support/tools.ts";

function rawImage(folder: TempDirectory): string {
  const path = folder.file("disk.raw");
  Deno.writeFileSync(path, new Uint8Array(64 * 1024));
  return path;
}

/** Tries to attach an image that is in use; gives the line that says so. */
async function refused(
  folder: TempDirectory,
  image: string,
  ...options: string[]
): Promise<string> {
  const program = asRoot();
  const socket = folder.file("refused");
  const { code, stdout, stderr } = await program.run("--socket", socket, ...options, image);
  assertEquals([code, stdout], [1, ""]);
  assert(stderr.endsWith("\n") && stderr.indexOf("\n") === stderr.length - 1, stderr);
  await eventually(() => program.processes().length === 0, "the refused daemon to end");
  assert(!exists(socket));
  return stderr;
}

Deno.test("tslosetup refuses a second writer, and names the first one", async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder);
  {
    await using first = await ExportedImage.attach({ folder, image });
    const stderr = await refused(folder, image);
    assertEquals(
      stderr,
      `tslosetup: ${image}: failed to set up socket: ` +
        `the image is in use by tslosetup (pid ${first.pid})\n`,
    );
    // Another name of the same file is no way around.
    Deno.linkSync(image, folder.file("link"));
    await refused(folder, folder.file("link"));
  }
  await using _after = await ExportedImage.attach({ folder, image });
});

Deno.test("tslosetup lets readers share an image, but not with a writer", async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder);
  const options = ["-r"];
  {
    await using _reader = await ExportedImage.attach({ folder, image, options });
    await using _other = await ExportedImage.attach({ folder, image, options, name: "other" });
    await refused(folder, image);
  }
  await using writer = await ExportedImage.attach({ folder, image });
  assertMatch(await refused(folder, image, "-r"), new RegExp(`pid ${writer.pid}`));
});

oracleTest("tslosetup refuses to write to what qemu-nbd writes to", ["qemu-nbd"], async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder);
  await using server = await QemuNbd.start(folder, image);
  const holder = new RegExp(`qemu-nbd \\(pid ${server.pid}\\)`);
  assertMatch(await refused(folder, image), holder);
  assertMatch(await refused(folder, image, "-r"), holder);
});

oracleTest("qemu-io is refused what tslosetup writes to", ["qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = rawImage(folder);
  const write = ["-f", "raw", "-c", "write 0 512", image];
  const read = ["-r", "-f", "raw", "-c", "read 0 512", image];
  {
    await using _writer = await ExportedImage.attach({ folder, image });
    const { code, stderr } = await run("qemu-io", ...write);
    assertNotEquals(code, 0);
    assertMatch(stderr, /lock/);
  }
  {
    await using _reader = await ExportedImage.attach({ folder, image, options: ["-r"] });
    assertNotEquals((await run("qemu-io", ...write)).code, 0);
    await mustSoon("qemu-io", ...read);
  }
  await mustSoon("qemu-io", ...write);
});
