/**
 * Devices whose daemon has given up all rights: they go all the same.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { keptCapabilities, NONE, rightsOf } from "../../support/rights.ts";
import { TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, makeSparse, MIB } from "./device.ts";

const WAYS: Readonly<Record<string, (device: Device) => unknown>> = {
  "SIGTERM": (device) => device.kill("SIGTERM"),
  "-d": (device) => device.detach(),
  "-d --force": (device) => device.program.must("-d", "--force", device.path),
};

for (const [way, leave] of Object.entries(WAYS)) {
  deviceTest(`a daemon without rights serves a device, which goes by ${way}`, [], async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 16 * MIB);
    await using device = await Device.attach(image, "--threads", "3");
    const rights = rightsOf(device.pid, keptCapabilities({ isSocket: false }));
    assertEquals(rights, rights.map(() => NONE));
    const content = new Uint8Array(MIB).fill(1);
    Deno.writeFileSync(device.path, content);
    await leave(device);
    await device.gone();
    assertEquals(Deno.readFileSync(image).subarray(0, MIB), content);
  });
}
