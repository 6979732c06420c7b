// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { adoptVdi } from "../format/vdi/image_builder.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;

oracleTest("a child is written to, and its parent only on purpose", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const [parent, child] = [folder.file("parent.vdi"), folder.file("child.vdi")];
  for (const path of [parent, child]) {
    await must("qemu-img", "create", "-q", "-f", "vdi", path, `${4 * MIB}`);
  }
  await must("qemu-io", "-f", "vdi", "-c", "write -P 1 0 4M", parent);
  adoptVdi(child, parent);
  const before = await must("sha256sum", parent);
  {
    const attach = { folder, image: child, options: ["-t", "VDI"] };
    await using exported = await ExportedImage.attach(attach);
    const words = ["write -P 2 1M 3k", "write -z 2M 1M", "read -P 1 0 1M", "read -P 1 3M 1M"];
    const all = words.flatMap((word) => ["-c", word]);
    const out = await must("qemu-io", "-f", "raw", ...all, exported.uri);
    assertEquals(out.includes("failed"), false, out);
    await exported.detach();
  }
  assertEquals(await must("sha256sum", parent), before);
  const kinds = JSON.parse(await asRoot().must("--map", "--json", child));
  assertEquals(kinds.map(({ depth }: { depth: number }) => depth), [1, 0, 0, 1]);
  {
    const attach = { folder, image: parent, name: "p", options: ["-t", "VDI"] };
    await using exported = await ExportedImage.attach(attach);
    await must("qemu-io", "-f", "raw", "-c", "write -P 3 0 1k", exported.uri);
    await exported.detach();
  }
  const { code, stderr } = await asRoot().run("--map", child);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "was changed after the image above it was made");
  await asRoot().must("--map", "--force", child);
});
