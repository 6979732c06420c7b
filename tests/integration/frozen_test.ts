// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CGROUP_VERSIONS, Frozen, missingForFreezer } from "../support/freezer.ts";
import { eventually } from "../support/patience.ts";
import { asRoot, exists, ExportedImage, statesIn } from "../support/program.ts";
import { TempDirectory, testIfPossible } from "../support/tools.ts";

for (const version of CGROUP_VERSIONS) {
  const missing = missingForFreezer(version);
  const frozenTest = (name: string, body: (image: ExportedImage) => Promise<void>): void => {
    const fn = async (): Promise<void> => {
      using folder = new TempDirectory();
      const image = folder.file("disk");
      Deno.writeFileSync(image, new Uint8Array(65_536));
      await using exported = await ExportedImage.attach({ folder, image, as: asRoot() });
      await body(exported);
    };
    testIfPossible({ name: `${name}, version ${version}`, obstacle: missing, fn });
  };

  frozenTest("-d and -c say that the daemon is frozen with its cgroup", async (image) => {
    await using frozen = await Frozen.freeze(image.pid, version);
    for (const action of ["-c", "-d"]) {
      const { code, stderr } = await image.program.run(action, image.socket);
      assertEquals(code, 1);
      assertMatch(stderr, /: its daemon \(pid \d+\) is frozen with its cgroup \(.*\): .*\n$/);
    }
    frozen.thaw();
    await eventually(() => image.isGone, "the daemon to go when it is thawed");
  });

  frozenTest("-d --force of a frozen daemon leaves neither socket nor state", async (image) => {
    await using frozen = await Frozen.freeze(image.pid, version);
    const { code, stderr } = await image.program.run("-d", "--force", image.socket);
    assertEquals(code, 0, stderr);
    assertMatch(
      stderr,
      /gave up on its daemon \(pid \d+\)(; it ends when its cgroup is thawed)?\n$/,
    );
    assert(!exists(image.socket));
    assertEquals(statesIn(image.program.stateDirectory), []);
    frozen.thaw();
    await eventually(() => !image.isRunning, "the daemon to end");
  });
}
