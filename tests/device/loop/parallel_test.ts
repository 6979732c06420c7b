/**
 * Many at once want a free device: each gets one of its own. TSLOSETUP_ROUNDS says how often.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { deviceTest, FUSE } from "../fuse/device.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot, type Finished, statesIn, type Surroundings } from "../../support/program.ts";
import { must } from "../../support/tools.ts";
import { LoopFolder } from "./loop_folder.ts";

const AT_ONCE = 20;
const MIB = 1024 * 1024;
const ROUNDS = Number(Deno.env.get("TSLOSETUP_ROUNDS") ?? 1);

interface Round {
  readonly program: Surroundings;
  readonly images: readonly string[];
  readonly options: readonly string[];
}

/** Attaches all images at the same time. */
function attachAll({ program, images, options }: Round): Promise<Finished[]> {
  const attach = (image: string): Promise<Finished> =>
    program.run(...options, "--find", "--show", image);
  return Promise.all(images.map(attach));
}

/** Every command succeeded in silence, and no device was given twice. */
function assertDistinct(finished: readonly Finished[]): string[] {
  for (const { code, stderr } of finished) assertEquals([code, stderr], [0, ""]);
  const devices = finished.map(({ stdout }) => stdout.trim());
  assertEquals(new Set(devices).size, AT_ONCE);
  return devices;
}

function numbered(folder: LoopFolder, suffix: string): string[] {
  return Array.from({ length: AT_ONCE }, (_, number) => folder.file(`disk${number}${suffix}`));
}

deviceTest(`${AT_ONCE} RAW images at once get ${AT_ONCE} loop devices`, [], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  const images = numbered(folder, "");
  for (const image of images) folder.sparse(image.slice(folder.path.length + 1), MIB);
  for (let round = 0; round < ROUNDS; round++) {
    const devices = assertDistinct(await attachAll({ program, images, options: [] }));
    const backing = folder.attached().map(({ path, backing }) => [path, folder.file(backing)]);
    assertEquals(new Map(backing as [string, string][]), mapOf(devices, images));
    await program.must("-d", ...devices);
    assertEquals(folder.attached(), []);
  }
});

function mapOf(keys: readonly string[], values: readonly string[]): Map<string, string> {
  return new Map(keys.map((key, index) => [key, values[index] ?? ""]));
}

deviceTest(`${AT_ONCE} QCOW images at once get ${AT_ONCE} devices`, ["qemu-img"], async () => {
  using folder = new LoopFolder();
  const program = asRoot();
  const images = numbered(folder, ".qcow2");
  for (const image of images) await must("qemu-img", "create", "-q", "-f", "qcow2", image, "1M");
  const options = [...FUSE, "-r", "-t", "QCOW"];
  for (let round = 0; round < ROUNDS; round++) {
    const devices = assertDistinct(await attachAll({ program, images, options }));
    const attached = statesIn(program.stateDirectory).map(({ device }) => device);
    assertEquals(new Set(attached), new Set(devices));
    await program.must("-d", ...devices);
    await eventually(() => program.processes().length === 0, "daemons to end");
    assertEquals(statesIn(program.stateDirectory), []);
  }
});
