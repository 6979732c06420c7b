// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { adoptVdi } from "../format/vdi/image_builder.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;

/** A child of four blocks: the second one is its own, the first two are its parent's. */
async function makeChild(child: string, parent: string): Promise<void> {
  for (const path of [parent, child]) {
    await must("qemu-img", "create", "-q", "-f", "vdi", path, `${4 * MIB}`);
  }
  await must("qemu-io", "-f", "vdi", "-c", "write -P 1 0 2M", parent);
  await must("qemu-io", "-f", "vdi", "-c", "write -P 2 1M 1M", child);
  adoptVdi(child, parent);
}

const READ = ["read -P 1 0 1M", "read -P 2 1M 1M", "read -P 0 2M 2M"].flatMap((
  word,
) => ["-c", word]);

oracleTest(
  "a child is served with what its parent has, which it knows by identity",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const child = folder.file("child.vdi");
    const parent = folder.file("parent.vdi");
    await makeChild(child, parent);
    for (const format of ["VDI", "auto"]) {
      const options = ["-r", "-t", format];
      await using exported = await ExportedImage.attach({ folder, image: child, options });
      assertEquals(exported.attached.stderr, "");
      const { stdout, code } = await run("qemu-io", "-r", "-f", "raw", ...READ, exported.uri);
      assertEquals([code, stdout.includes("failed")], [0, false], stdout);
    }
    const runs: { depth: number }[] = JSON.parse(await asRoot().must("--map", "--json", child));
    assertEquals(runs.map(({ depth }) => depth), [1, 0, 1]);
    const info = JSON.parse(await asRoot().must("--info", "--json", child));
    assertEquals(info["backing-image"].filename, parent);
    assertEquals(info["format-specific"].data.type, "differencing");
  },
);

oracleTest(
  "what is written to a VDI image goes to an overlay, which lies on it",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const child = folder.file("child.vdi");
    await makeChild(child, folder.file("parent.vdi"));
    const overlay = folder.file("mine.qcow2");
    const options = ["-t", "VDI", `--overlay=${overlay}`];
    await using exported = await ExportedImage.attach({ folder, image: child, options });
    await must("qemu-io", "-f", "raw", "-c", "write -P 9 3M 1M", exported.uri);
    await exported.detach();
    const info = JSON.parse(await asRoot().must("--info", "--json", overlay));
    assertEquals(info["backing-filename-format"], "vdi");
    assertEquals(info["backing-image"]["backing-image"].filename, folder.file("parent.vdi"));
    const served = { folder, image: overlay, name: "again", options: ["-r", "-t", "QCOW"] };
    await using again = await ExportedImage.attach(served);
    const { stdout } = await run(
      "qemu-io",
      "-r",
      "-f",
      "raw",
      ...READ.slice(0, 4),
      "-c",
      "read -P 9 3M 1M",
      again.uri,
    );
    assertEquals(stdout.includes("failed"), false, stdout);
  },
);

oracleTest("a parent elsewhere is named by a path of any kind", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  for (const name of ["vm", "elsewhere"]) Deno.mkdirSync(folder.file(name));
  const child = folder.file("vm/child.vdi");
  await makeChild(child, folder.file("elsewhere/parent.vdi"));
  const { code, stderr } = await asRoot().run("--info", child);
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /no VDI image with that UUID is in .*\/vm or .* \(--parent <file> names it\)/,
  );
  Deno.symlinkSync("elsewhere/parent.vdi", folder.file("link"));
  for (const kind of ["--info", "--map"]) {
    const relative = pathFromHere(folder.file("link"));
    assertStringIncludes(await asRoot().must(kind, "--parent", relative, child), "parent.vdi");
  }
});

oracleTest(
  "a folder that an image may name files in is named by a path of any kind",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    Deno.mkdirSync(folder.file("vm"));
    const child = folder.file("vm/child.vdi");
    await makeChild(child, folder.file("parent.vdi"));
    Deno.chmodSync(child, 0o666);
    Deno.symlinkSync(".", folder.file("link"));
    const { stderr } = await asRoot().run("--info", child);
    assertStringIncludes(stderr, "not allowed: others may write to the image");
    for (const kind of ["--info", "--map"]) {
      const relative = pathFromHere(folder.file("link"));
      await asRoot().must(kind, "--allow-backing", relative, child);
    }
  },
);

/** A relative path to a file. */
function pathFromHere(path: string): string {
  return `${Deno.cwd().replaceAll(/\/[^/]+/g, "../")}${path.slice(1)}`;
}
