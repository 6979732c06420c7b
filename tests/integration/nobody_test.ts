// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists, ExportedImage, mustSoon, Nobody } from "../support/program.ts";
import { must, rootTest, TempDirectory } from "../support/tools.ts";

const NOBODY = 65534;

rootTest("tslosetup --socket serves an unprivileged user", ["setpriv", "nbdcopy"], async () => {
  using nobody = new Nobody();
  using folder = new TempDirectory();
  Deno.chownSync(folder.path, NOBODY, NOBODY);
  const image = nobody.write("disk", new Uint8Array(65536).fill(4));
  const as = nobody.program;
  await using exported = await ExportedImage.attach({ folder, image, as });
  assertEquals(Deno.statSync(`/proc/${exported.pid}`).uid, NOBODY);
  assertEquals((Deno.statSync(as.stateDirectory).mode ?? 0) & 0o777, 0o700);
  await mustSoon("nbdcopy", exported.uri, folder.file("copy"));
  assertEquals(Deno.readFileSync(folder.file("copy")), new Uint8Array(65536).fill(4));
  assertStringIncludes(await as.must("-l"), exported.socket);
  await exported.detach();
  assert(exported.isGone);
  assert(!exists(exported.socket));
});

rootTest(
  "tslosetup makes a write-protected file a read-only export",
  ["setpriv", "nbdinfo"],
  async () => {
    using nobody = new Nobody();
    using folder = new TempDirectory();
    Deno.chownSync(folder.path, NOBODY, NOBODY);
    const image = nobody.write("disk", new Uint8Array(65536));
    await must("chmod", "444", image);
    await using exported = await ExportedImage.attach({ folder, image, as: nobody.program });
    assertEquals(
      exported.attached.stderr,
      `tslosetup: ${image}: warning: the file is write-protected: the device is read-only\n`,
    );
    const { exports: [info] } = JSON.parse(await mustSoon("nbdinfo", "--json", exported.uri));
    assertEquals(info.is_read_only, true);
  },
);

rootTest("what would change a write-protected file says so", ["setpriv", "qemu-img"], async () => {
  using nobody = new Nobody();
  const base = nobody.write("base", new Uint8Array(65536));
  const image = nobody.write("image", new Uint8Array(0));
  await must("qemu-img", "create", "-qfqcow2", "-b", base, "-F", "raw", image);
  await must("chmod", "444", image);
  for (const words of [["--resize", "+1M"], ["--check", "--repair", "all"], ["--commit"]]) {
    const { code, stderr } = await nobody.program.run(...words, image);
    assertEquals(code, 1);
    assert(stderr.endsWith(": the file is write-protected\n"), stderr);
  }
});
