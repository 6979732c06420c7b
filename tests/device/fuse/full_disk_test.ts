/**
 * Devices where not a byte more can be written to /run.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { MountNamespace, NAMESPACE_TOOLS } from "../../support/mount_namespace.ts";
import { programCommand } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { deviceTest, FUSE, isAttached, makeSparse, MIB } from "./device.ts";

const STATES = "/run/tslosetup";
const TINY_RUN = `mkdir -p -m 700 ${STATES} && ` +
  `mount -t tmpfs -o size=64k,mode=700 tmpfs ${STATES}`;
const PAGE_BYTES = 4096;
const TOOLS = [...NAMESPACE_TOOLS, "losetup"] as const;

/** Leaves room neither on the file system nor in the page that a file ends in. */
function fill(folder: string): void {
  const [state] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
  const { size } = Deno.statSync(state ?? "");
  const rest = "\n".repeat(PAGE_BYTES - size % PAGE_BYTES);
  Deno.writeTextFileSync(state ?? "", rest, { append: true });
  assertThrows(() => Deno.writeFileSync(`${folder}/full`, new Uint8Array(MIB)));
}

deviceTest("with a full /run, -d has a device go, and hears what became of it", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), MIB);
  await using namespace = await MountNamespace.make(TINY_RUN);
  const [command = "", ...prefix] = [...namespace.command(), ...programCommand()];
  const device = (await must(command, ...prefix, ...FUSE, "-f", "--show", image)).trim();
  try {
    fill(namespace.path(STATES));
    const { code, stderr } = await run(command, ...prefix, "-d", device);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(isAttached(device), false);
  } finally {
    if (isAttached(device)) await must("losetup", "-d", device);
  }
});
