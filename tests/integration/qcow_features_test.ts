// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readRange, sameBytes } from "../format/opened_image.ts";
import { buildImage } from "../format/qcow/image_builder.ts";
import { IMAGE_TOOLS } from "../support/images.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const TOOLS = [...IMAGE_TOOLS, "nbdcopy"] as const;

/** Everything an export gives over four connections, so that further threads open the image, too. */
async function copyOf(exported: ExportedImage, folder: TempDirectory): Promise<Uint8Array> {
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", "--connections=4", exported.uri, copy);
  return Deno.readFileSync(copy);
}

oracleTest("an export shows the internal snapshot that was asked for", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  const raw = folder.file("snapshot.raw");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "8M");
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 1 1M 3M", image);
  await must("qemu-img", "snapshot", "-c", "before", image);
  await must("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 8M", image);
  await must("qemu-img", "convert", "-l", "before", "-O", "raw", image, raw);
  for (const snapshot of ["1", "before"]) {
    const options = ["-t", "QCOW", "-r", "--snapshot", snapshot];
    await using exported = await ExportedImage.attach({ folder, image, options });
    assertEquals(exported.attached.stderr, "");
    assert(sameBytes(await copyOf(exported, folder), readRange(raw, 0, 8 * MIB)));
  }
});

oracleTest(
  "an image of version 1 is found by auto, QCOW and QCOW1, and listed as QCOW1",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow");
    const raw = folder.file("disk.raw");
    await must("qemu-img", "create", "-q", "-f", "qcow", image, "8M");
    const fill = ["-c", "write -P 1 1M 3M", "-c", "write -c -P 2 5M 4k"];
    await must("qemu-io", "-f", "qcow", ...fill, image);
    await must("qemu-img", "convert", "-f", "qcow", "-O", "raw", image, raw);
    for (const format of ["auto", "QCOW", "QCOW1"]) {
      const options = ["-t", format, "-r"];
      await using exported = await ExportedImage.attach({ folder, image, options });
      assert(sameBytes(await copyOf(exported, folder), readRange(raw, 0, 8 * MIB)));
      const { program, socket } = exported;
      assertEquals(await program.must("-nO", "FILE-FORMAT", socket), "QCOW1\n");
      assertMatch(await program.must(socket), /, file-format QCOW1\n$/);
    }
  },
);

oracleTest(
  "an image that is marked as corrupt is served by force, with a warning",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow2");
    const bytes = buildImage({ headerV3: { incompatible_features: 2 }, l2: [3n * 4096n] });
    Deno.writeFileSync(image, bytes);
    const options = ["-t", "QCOW", "-r", "--force"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    assertMatch(
      exported.attached.stderr,
      /^tslosetup: .*: warning: the image is marked as corrupt\n$/,
    );
    const copy = await copyOf(exported, folder);
    assertEquals([copy.length, copy[0], copy[4096]], [2 * MIB, 3, 0]);
  },
);
