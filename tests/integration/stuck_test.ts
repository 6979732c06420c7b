// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot, ExportedImage } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

async function exported(folder: TempDirectory): Promise<ExportedImage> {
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  return await ExportedImage.attach({ folder, image, as: asRoot() });
}

Deno.test("-d of a socket says that its daemon is stopped, and it goes when that runs again", async () => {
  using folder = new TempDirectory();
  await using image = await exported(folder);
  Deno.kill(image.pid, "SIGSTOP");
  const { code, stderr } = await image.program.run("-d", image.socket);
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*: its daemon \(pid \d+\) is stopped: .*--force.*\n$/);
  Deno.kill(image.pid, "SIGCONT");
  await image.ended();
  assertEquals(image.isGone, true);
});

Deno.test("-d --force of a socket whose daemon is stopped leaves nothing", async () => {
  using folder = new TempDirectory();
  await using image = await exported(folder);
  Deno.kill(image.pid, "SIGSTOP");
  const { code, stderr } = await image.program.run("-d", "--force", image.socket);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /gave up on its daemon/);
  assertEquals(image.isGone, true);
});
