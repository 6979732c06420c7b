/**
 * What the generator makes of /etc/tslosetuptab for systemd.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { generated } from "../../../src/cli/docs/generate.ts";
import { parseTab } from "../../../src/cli/words/tab.ts";
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

/** The units made of two tables, by their paths; and what is said meanwhile. */
async function madeUnits(
  folder: TempDirectory,
  tables: { lines: string; mounted?: string } = { lines: TABLE, mounted: MOUNTS },
): Promise<ReadonlyMap<string, string>> {
  const [script, table, mounts, units] = ["generator", "table", "mounts", "units"]
    .map((name) => folder.file(name));
  assert(script && table && mounts && units);
  Deno.writeTextFileSync(script, generated("generator"));
  Deno.writeTextFileSync(table, tables.lines);
  if (tables.mounted !== undefined) Deno.writeTextFileSync(mounts, tables.mounted);
  const files = [`TSLOSETUPTAB=${table}`, `TSLOSETUP_FSTAB=${mounts}`];
  const call = `mkdir "$1" && sh "$0" "$1" 2>"$1/said"`;
  await must("env", ...files, "sh", "-c", call, script, units);
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
      "said",
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
        'ExecStop="@PROGRAM@" --detach "--tab=data"',
      ]
    ) assertStringIncludes(data, `${line}\n`);
    assert(!data.includes("other.mount"));
    const named = units.get("tslosetup@my\\x20disk.service") ?? "";
    assertStringIncludes(named, 'RequiresMountsFor="/srv/a \\"b%%.qcow2"\n');
    assert(!named.includes("Before=local-fs.target"));
    assertStringIncludes(units.get("tslosetup@far.service") ?? "", "remote-fs-pre.target\n");
  },
);

oracleTest("the generator takes lines as --tab does", ["systemd-escape"], async () => {
  using folder = new TempDirectory();
  const lines = [
    "a${x}%\\134 /srv/dir\\name.qcow2 - nofail\r",
    "b /srv/b /dev/..",
    "b /srv/../b",
    "b /srv/b\\012[Service]\\012ExecStartPre=x",
    "b /srv/b\u000bc",
    "b /srv/b - ro excess",
    "b relative",
    "a${x}%\\134 /srv/second",
    "c /srv/c000177 /dev/nbd5",
  ];
  const units = await madeUnits(folder, { lines: lines.join("\n") });
  const { lines: good, faults } = parseTab(lines.join("\n"));
  assertEquals(good.map(({ name }) => name), ["a${x}%\\", "c"]);
  assertEquals([...units.keys()], [
    "dev-nbd5.device.wants/tslosetup@c.service",
    "local-fs.target.requires/tslosetup@c.service",
    "local-fs.target.wants/tslosetup@a\\x24\\x7bx\\x7d\\x25\\x5c.service",
    "said",
    "tslosetup@a\\x24\\x7bx\\x7d\\x25\\x5c.service",
    "tslosetup@c.service",
  ]);
  const unit = units.get("tslosetup@a\\x24\\x7bx\\x7d\\x25\\x5c.service") ?? "";
  assertStringIncludes(unit, 'RequiresMountsFor="/srv/dir\\\\name.qcow2"\n');
  assertStringIncludes(unit, 'ExecStart="@PROGRAM@" "--tab=a$${x}%%\\\\"\n');
  const said = faults.map(({ message }) =>
    message.replace("/etc/tslosetuptab", folder.file("table"))
  );
  assertEquals(units.get("said"), said.map((line) => `tslosetup-generator: ${line}\n`).join(""));
});

oracleTest(
  "the generator orders the last line of tables without a line feed",
  ["systemd-escape"],
  async () => {
    using folder = new TempDirectory();
    const mounted = "/dev/nbd5 swap swap\n/dev/nbd5 /m ext4";
    const units = await madeUnits(folder, { lines: "c /srv/c /dev/nbd5", mounted });
    assertStringIncludes(units.get("tslosetup@c.service") ?? "", "\nBefore=m.mount\n");
    assertEquals(units.get("said"), "");
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
