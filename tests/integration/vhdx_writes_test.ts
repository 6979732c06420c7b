// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { adoptVhdx } from "../format/vhdx/adopt.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { checkTwins } from "./twin_images.ts";

const SIZE = 16 * 1024 * 1024;

for (const options of ["subformat=dynamic,block_size=1M", "subformat=fixed"]) {
  oracleTest(
    `a VHDX image is written to as its twin is by qemu: ${options}`,
    IMAGE_TOOLS,
    async () => {
      await checkTwins({ format: "VHDX", driver: "vhdx", options, sizeBytes: SIZE });
    },
  );
}

oracleTest(
  "the log of a VHDX image whose daemon was killed is replayed, by whoever opens it",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.vhdx");
    await must("qemu-img", "create", "-q", "-f", "vhdx", path, `${SIZE}`);
    const attach = { folder, image: path, options: ["-t", "VHDX"] };
    {
      await using exported = await ExportedImage.attach(attach);
      await must("qemu-io", "-f", "raw", "-c", "write -P 5 1M 3M", "-c", "flush", exported.uri);
      Deno.kill(exported.pid, "SIGKILL");
      await exported.ended();
    }
    const before = await must("sha256sum", path);
    assertEquals(JSON.parse(await asRoot().must("--info", "--json", path))["dirty-flag"], true);
    const read = ["-c", "read -P 5 1M 3M", "-c", "read -P 0 4M 12M"];
    for (const options of [["-r", "-t", "auto"], ["-t", "VHDX"]]) {
      await using again = await ExportedImage.attach({
        ...attach,
        options,
        name: options[0] ?? "",
      });
      const out = await must("qemu-io", "-r", "-f", "raw", ...read, again.uri);
      assertEquals(out.includes("failed"), false, out);
      if (options[0] === "-r") assertEquals(await must("sha256sum", path), before);
      await again.detach();
    }
    assertEquals(JSON.parse(await asRoot().must("--info", "--json", path))["dirty-flag"], false);
    const out = await must("qemu-io", "-r", "-f", "vhdx", ...read, path);
    assertEquals(out.includes("failed"), false, out);
  },
);

oracleTest(
  "a VHDX child is written to, and its parent only on purpose",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [parent, child] = [folder.file("parent.vhdx"), folder.file("child.avhdx")];
    const options = ["-o", "block_size=1M,block_state_zero=off"];
    for (const path of [parent, child]) {
      await must("qemu-img", "create", "-q", "-f", "vhdx", ...options, path, `${SIZE}`);
    }
    await must("qemu-io", "-f", "vhdx", "-c", "write -P 1 0 4M", parent);
    adoptVhdx(child, parent);
    const before = await must("sha256sum", parent);
    const words = ["write -P 2 1M 3k", "write -z 2M 1M", "write -P 3 8M 2M", "write -P 4 3000k 1k"];
    const read = ["read -P 1 0 1M", "read -P 2 1M 3k", "read -P 0 2M 952k", "read -P 4 3000k 1k"];
    const attach = { folder, image: child, options: ["-t", "VHDX"] };
    for (const commands of [[...words, ...read], [...read, "read -P 1 3M 1M", "read -P 3 8M 2M"]]) {
      await using exported = await ExportedImage.attach(attach);
      const all = commands.flatMap((word) => ["-c", word]);
      const out = await must("qemu-io", "-f", "raw", ...all, exported.uri);
      assertEquals(out.includes("failed"), false, out);
      await exported.detach();
    }
    assertEquals(await must("sha256sum", parent), before);
    await using exported = await ExportedImage.attach({ ...attach, image: parent, name: "parent" });
    await must("qemu-io", "-f", "raw", "-c", "write -P 3 0 1k", exported.uri);
    await exported.detach();
    const { code, stderr } = await asRoot().run("--map", child);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "parent.vhdx: its UUID is ");
    await asRoot().must("--map", "--force", "--parent", parent, child);
  },
);
