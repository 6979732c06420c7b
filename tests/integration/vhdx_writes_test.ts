// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
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
