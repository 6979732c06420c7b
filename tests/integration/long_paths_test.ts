// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { asRoot, mustSoon } from "../support/program.ts";
import { DeepFolder } from "../support/deep_folder.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";

/** Image names in the deep folder, with what their format is. */
const IMAGES = [
  ["disk.raw", "RAW"],
  ["top.qcow2", "QCOW"],
  ["./top.qcow2", "QCOW"],
  ["sub/../link", "QCOW"],
] as const;

oracleTest(
  "an image whose path is too long for the kernel is served as any other",
  ["bash", "qemu-img", "nbdinfo"],
  async () => {
    using deep = await DeepFolder.make();
    using folder = new TempDirectory();
    const socket = folder.file("socket");
    await deep.run("qemu-img", "create", "-q", "-f", "raw", "disk.raw", "1M");
    const create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "disk.raw"];
    await deep.run(...create, "top.qcow2");
    await deep.run("bash", "-c", "mkdir sub && ln -s top.qcow2 link");
    const program = asRoot();
    for (const [name, format] of IMAGES) {
      const words = ["-r", "-t", format, "--socket", socket, "--show", name];
      const uri = (await deep.run(...program.command, ...words)).trim();
      assertEquals(await mustSoon("nbdinfo", "--size", uri), "1048576\n");
      const shown = name === "sub/../link" ? "link" : name.replace("./", "");
      const cell = await program.must("-nO", "BACK-FILE", socket);
      assertEquals(cell, `${deep.path}/${shown}\n`);
      const found = await deep.run(...program.command, "-j", name);
      assertStringIncludes(found, socket);
      await program.must("-d", socket);
    }
    assertStringIncludes(await deep.run(...program.command, "--info", "top.qcow2"), "disk.raw");
  },
);
