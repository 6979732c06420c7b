// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IMAGE_TOOLS } from "../support/images.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { checkTwins } from "./twin_images.ts";

const SIZE = 16 * 1024 * 1024;

for (const options of ["cluster_size=4k", "cluster_size=64k"]) {
  oracleTest(
    `a QED image is written to as its twin is by qemu: ${options}`,
    IMAGE_TOOLS,
    async () => {
      await checkTwins({ format: "QED", driver: "qed", options, sizeBytes: SIZE });
    },
  );
}

oracleTest(
  "a QED image whose daemon was killed is repaired when it is attached again",
  IMAGE_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.qed");
    await must("qemu-img", "create", "-q", "-f", "qed", path, `${SIZE}`);
    const attach = { folder, image: path, options: ["-t", "QED"] };
    {
      await using exported = await ExportedImage.attach(attach);
      await must("qemu-io", "-f", "raw", "-c", "write -P 5 1M 3M", "-c", "flush", exported.uri);
      Deno.kill(exported.pid, "SIGKILL");
      await exported.ended();
    }
    assertEquals(JSON.parse(await asRoot().must("--info", "--json", path))["dirty-flag"], true);
    await using again = await ExportedImage.attach({ ...attach, name: "again" });
    assertEquals(again.attached.stderr.includes("was not closed in order"), true);
    const out = await must("qemu-io", "-f", "raw", "-c", "read -P 5 1M 3M", again.uri);
    assertEquals(out.includes("failed"), false);
    await again.detach();
    await must("qemu-img", "check", "-q", "-f", "qed", path);
  },
);
