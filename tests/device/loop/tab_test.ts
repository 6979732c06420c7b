/**
 * `--tab`: devices of the images in /etc/tslosetuptab.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { MountNamespace, NAMESPACE_TOOLS } from "../../support/mount_namespace.ts";
import { asRootElsewhere, bindStates } from "../../support/program.ts";
import { deviceTest, MIB } from "../fuse/device.ts";
import { besideOthers } from "./beside_others.ts";
import { LoopFolder } from "./loop_folder.ts";

const BAD = "tslosetup: /etc/tslosetuptab:2: not NAME /IMAGE [DEVICE [OPTIONS]]: bad relative -\n";
const ODD = "tslosetup: /etc/tslosetuptab:4: odd: unknown option 'noatime'\n";

deviceTest("--tab passes over lines that make no sense", NAMESPACE_TOOLS, async (t) => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const lines = [`good ${image} - ro`, "bad relative -", "", `odd ${image} - noatime`];
  Deno.mkdirSync(folder.file("others"));
  Deno.writeTextFileSync(folder.file("tslosetuptab"), `${lines.join("\n")}\n`);
  await using namespace = await MountNamespace.make(
    `${bindStates()} && ${
      besideOthers("/etc", { others: folder.file("others"), add: folder.file("tslosetuptab") })
    }`,
  );
  const program = asRootElsewhere(namespace.command());
  const unknown = "tslosetup: nix: not in /etc/tslosetuptab\n";
  const path = `tslosetup: /nix: failed to set up loop device: No such file or directory\n`;
  const cases: [args: string[], code: number, stderr: string, devices: number][] = [
    [["--tab"], 1, BAD + ODD, 1],
    [["--tab=good"], 0, "", 1],
    [["--tab=bad"], 1, BAD, 1],
    [["--tab=odd"], 1, ODD, 1],
    [["--tab=nix"], 1, unknown, 1],
    [["--tab=/nix"], 1, path, 1],
    [["-d", "--tab=nix"], 1, unknown, 1],
    [["-d", "--tab=odd"], 0, "", 1],
    [["-d", "--tab"], 1, BAD, 0],
    [["-d", "--tab=good"], 0, "", 0],
  ];
  for (const [args, code, stderr, devices] of cases) {
    await t.step(args.join(" "), async () => {
      assertEquals(await program.run(...args), { code, stdout: "", stderr });
      assertEquals(folder.attached().length, devices);
    });
  }
});

for (const [kind, make] of [["folder", "mkdir"], ["FIFO", "mkfifo"]] as const) {
  deviceTest(`--tab says that the table is a ${kind}`, NAMESPACE_TOOLS, async () => {
    using folder = new LoopFolder();
    Deno.mkdirSync(folder.file("others"));
    Deno.writeTextFileSync(folder.file("empty"), "");
    const parts = { others: folder.file("others"), add: folder.file("empty") };
    await using namespace = await MountNamespace.make(
      `${bindStates()} && ${besideOthers("/etc", parts)} && ${make} /etc/tslosetuptab`,
    );
    const stderr = "tslosetup: /etc/tslosetuptab: not a regular file\n";
    for (const args of [["--tab"], ["-d", "--tab"], ["--tab=/nix"]]) {
      const finished = await asRootElsewhere(namespace.command()).run(...args);
      assertEquals(finished, { code: 1, stdout: "", stderr });
    }
  });
}
