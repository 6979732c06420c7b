/**
 * What a command says where the kernel does not let a daemon be kept from waiting for itself when memory
 * is short. That takes CAP_SYS_RESOURCE, which containers lack.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { asRootElsewhere, bindStates, ExportedImage } from "../../support/program.ts";
import { memoryWarning, memoryWarningOf } from "../../support/rights.ts";
import { TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, FUSE, makeSparse, MIB } from "./device.ts";

deviceTest(
  "a device to be written to is warned of just where its daemon is not safe",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), MIB);
    await using device = await Device.attach(image);
    assertEquals(device.warnings, memoryWarning(image));
  },
);

deviceTest(
  "without CAP_SYS_RESOURCE, one line tells what may happen, and what to do",
  ["setpriv", "unshare", "losetup"],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), MIB);
    const restrict = "setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource";
    const enter = `${bindStates()} && exec ${restrict} "$@"`;
    const program = asRootElsewhere(["unshare", "--mount", "sh", "-c", enter, "sh"]);
    const { code, ...told } = await program.run(...FUSE, "-f", "--show", image);
    assertEquals([code, told.stderr], [0, `${memoryWarningOf(image)}\n`]);
    await program.must("-d", told.stdout.trim());
    for (const quiet of [["-r"], ["-r", "-v"]]) {
      const { stdout, stderr } = await program.run(...quiet, ...FUSE, "-f", "--show", image);
      assertEquals(stderr, "");
      await program.must("-d", stdout.trim());
    }
    await using exported = await ExportedImage.attach({ folder, image, as: program });
    assertEquals(exported.attached.stderr, "");
  },
);
