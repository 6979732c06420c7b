// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { exists, ExportedImage } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

async function withoutState(folder: TempDirectory): Promise<ExportedImage> {
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const exported = await ExportedImage.attach({ folder, image });
  for (const { name } of Deno.readDirSync(exported.program.stateDirectory)) {
    Deno.removeSync(`${exported.program.stateDirectory}/${name}`);
  }
  return exported;
}

Deno.test("-d of a socket finds its daemon where the state file was removed", async () => {
  using folder = new TempDirectory();
  await using exported = await withoutState(folder);
  const { code, stderr } = await exported.program.run("-d", exported.socket);
  assertEquals([code, stderr], [0, ""]);
  assert(exported.isGone);
});

Deno.test("-d --force of a socket whose state was removed ends a daemon that is stopped", async () => {
  using folder = new TempDirectory();
  await using exported = await withoutState(folder);
  Deno.kill(exported.pid, "SIGSTOP");
  const { code, stderr } = await exported.program.run("-d", "--force", exported.socket);
  assertEquals(code, 0, stderr);
  await eventually(() => exported.isGone, "the daemon to go");
});

Deno.test("-d leaves sockets of other programs alone", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  await using exported = await ExportedImage.attach({ folder, image });
  const path = folder.file("other");
  using _listener = Deno.listen({ transport: "unix", path });
  const { code, stderr } = await exported.program.run("-d", path);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `${path}: failed to use device: No such device\n`);
  assert(exists(path));
});
