/**
 * What the module for dracut asks for, where dracut can install it and where it cannot.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const MODULE = new URL("../../src/boot/dracut/module-setup.sh", import.meta.url).pathname;

/** dracut itself, in so far as it is asked: what it can install is in $installable. */
const DRACUT = `
  check_module() { case " $installable " in *" $1 "*) ;; *) echo "no $1"; return 1 ;; esac; }
  dinfo() { echo "said: $*" >&2; }
`;

/** @returns what it depends on, and what it has said, in a system that has the given program */
async function dependencies(installable: string, program = "mount.nfs"): Promise<string[]> {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file(program), "#!/bin/sh\n", { mode: 0o755 });
  const script = `PATH=$2 installable=$3; ${DRACUT}. "$1"; depends 2>&1`;
  const words = ["bash", "-c", script, "bash", MODULE, folder.path, installable] as const;
  return (await must(...words)).trim().split("\n").map((line) => line.trim());
}

oracleTest(
  "dracut is asked for a network only where there are tools for NFS",
  ["bash"],
  async () => {
    const network = "network-legacy network";
    assertEquals(await dependencies(network), ["base rootfs-block", "network-legacy network"]);
    assertEquals(await dependencies("network"), ["base rootfs-block", "network"]);
    assertEquals(await dependencies(network, "other"), ["base rootfs-block"]);
  },
);

oracleTest("dracut is asked for no network that it cannot install", ["bash"], async () => {
  for (const installable of ["", "network-legacy"]) {
    const [modules, said = "", ...more] = await dependencies(installable);
    assertEquals([modules, more], ["base rootfs-block", []]);
    assertEquals(said.split(":").slice(0, 3), [
      "said",
      " tslosetup",
      " without NFS, as dracut cannot install its module network (package dracut-network)",
    ]);
  }
});
