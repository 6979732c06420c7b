// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import {
  CGROUP_VERSIONS,
  type CgroupVersion,
  Frozen,
  missingForFreezer,
} from "../../support/freezer.ts";
import { eventually } from "../../support/patience.ts";
import { runPatiently, TempDirectory, testIfPossible } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

function frozenTest(
  name: string,
  version: CgroupVersion,
  body: (device: Device, frozen: Frozen) => Promise<void>,
): void {
  const missing = missingForFreezer(version);
  const fullName = `${name}, version ${version}`;
  if (missing !== undefined) {
    testIfPossible({ name: fullName, obstacle: missing, fn: () => {} });
    return;
  }
  deviceTest(fullName, [], async () => {
    using folder = new TempDirectory();
    await using device = await Device.attach(makeSparse(folder.file("disk"), 4 * MIB));
    await using frozen = await Frozen.freeze(device.pid, version);
    await body(device, frozen);
  });
}

for (const version of CGROUP_VERSIONS) {
  frozenTest(
    "-d says that the daemon is frozen, and the device goes when it is thawed",
    version,
    async (device, frozen) => {
      const { code, stderr } = await device.program.run("-d", device.path);
      assertEquals(code, 1);
      assertMatch(stderr, /: its daemon \(pid \d+\) is frozen with its cgroup .*--force.*\n$/);
      frozen.thaw();
      await device.gone();
    },
  );

  frozenTest("-d --force of a frozen daemon fails what waits", version, async (device, frozen) => {
    const args = [`if=${device.path}`, "of=/dev/null", "bs=4k", "count=1", "iflag=direct"];
    const reading = runPatiently("dd", ...args, "status=none");
    await eventually(() => device.inFlight > 0, "a request");
    const { code, stderr } = await device.program.run("-d", "--force", device.path);
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /gave up on its daemon/);
    assertMatch((await reading).stderr, /Input\/output error/);
    frozen.thaw();
    await device.gone();
  });
}
