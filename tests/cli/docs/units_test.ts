/**
 * What the generator makes of /etc/tslosetuptab for systemd.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { generated } from "../../../src/cli/docs/generate.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

const TABLE = `# name image device options
data /srv/img.qcow2 /dev/nbd3 partscan
my\\040disk /srv/a\\040"b%.qcow2 - noauto
far /net/deep/x.qcow2 - nofail
away /srv/y.qcow2 - ro,_netdev
broken
`;
const MOUNTS = `# what where type options
/dev/sda1 / ext4 defaults 0 1
server:/x /net nfs defaults 0 0
/dev/nbd3p1 /my\\040data ext4 defaults 0 0
/dev/nbd30 /other ext4 defaults 0 0
`;

/** The units made of the two tables, by their paths. */
async function madeUnits(folder: TempDirectory): Promise<ReadonlyMap<string, string>> {
  const [script, table, mounts, units] = ["generator", "table", "mounts", "units"]
    .map((name) => folder.file(name));
  assert(script && table && mounts && units);
  Deno.writeTextFileSync(script, generated("generator"));
  Deno.writeTextFileSync(table, TABLE);
  Deno.writeTextFileSync(mounts, MOUNTS);
  await must("env", `TSLOSETUPTAB=${table}`, `TSLOSETUP_FSTAB=${mounts}`, "sh", script, units);
  const found = await must("find", units, "!", "-type", "d", "-printf", "%P\n");
  const paths = found.trim().split("\n").sort();
  return new Map(paths.map((path) => [path, Deno.readTextFileSync(`${units}/${path}`)]));
}

oracleTest(
  "the generator makes a unit of each line, where it is wanted",
  ["systemd-escape"],
  async () => {
    using folder = new TempDirectory();
    const units = await madeUnits(folder);
    assertEquals([...units.keys()], [
      "dev-nbd3.device.wants/tslosetup@data.service",
      "local-fs.target.requires/tslosetup@data.service",
      "remote-fs.target.requires/tslosetup@away.service",
      "remote-fs.target.wants/tslosetup@far.service",
      "tslosetup@away.service",
      "tslosetup@data.service",
      "tslosetup@far.service",
      "tslosetup@my\\x20disk.service",
    ]);
    const data = units.get("tslosetup@data.service") ?? "";
    for (
      const line of [
        'RequiresMountsFor="/srv/img.qcow2"',
        "Before=local-fs.target",
        "Before=my\\x20data.mount",
        "Wants=blockdev@dev-nbd3.target",
        'ExecStop="@PROGRAM@" --detach --tab=%I',
      ]
    ) assertStringIncludes(data, `${line}\n`);
    assert(!data.includes("other.mount"));
    const named = units.get("tslosetup@my\\x20disk.service") ?? "";
    assertStringIncludes(named, 'RequiresMountsFor="/srv/a \\"b%%.qcow2"\n');
    assert(!named.includes("Before=local-fs.target"));
    assertStringIncludes(units.get("tslosetup@far.service") ?? "", "remote-fs-pre.target\n");
  },
);

oracleTest(
  "the service is called as its comment and README.md say",
  ["systemd-escape"],
  async () => {
    const command = /systemctl start "\$\((.*)\)"/.exec(generated("service"))?.[1];
    assert(command !== undefined);
    const readme = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));
    assertStringIncludes(readme, command);
    assertEquals(await must("sh", "-c", command), "tslosetup@srv-disk.qcow2.service\n");
  },
);

oracleTest("what the system is told is right for shellcheck", ["shellcheck"], async () => {
  using folder = new TempDirectory();
  for (const kind of ["generator", "mount", "umount"]) {
    Deno.writeTextFileSync(folder.file(kind), generated(kind));
    await must("shellcheck", folder.file(kind));
  }
});
