// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { asRoot, ExportedImage } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

Deno.test("a daemon is not given what its command has in variables", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const as = asRoot({ PASSWORD: "secret", SSLKEYLOGFILE: folder.file("keys"), TSLOSETUP_X: "y" });
  await using exported = await ExportedImage.attach({ folder, image, as });
  const names = Deno.readTextFileSync(`/proc/${exported.pid}/environ`).split("\0")
    .map((entry) => entry.split("=")[0]);
  assert(names.includes("TSLOSETUP_X"));
  assertEquals(names.filter((name) => name === "PASSWORD" || name === "SSLKEYLOGFILE"), []);
});

Deno.test("a folder for temporary files that is not there is only missed by who needs it", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const as = asRoot({ TMPDIR: folder.file("no/such") });
  await using exported = await ExportedImage.attach({ folder, image, as });
  assert(exported.pid > 0);
  const other = folder.file("other");
  Deno.writeFileSync(other, new Uint8Array(65_536));
  const { code, stderr } = await as.run("--overlay", "--socket", `${other}.socket`, other);
  assertEquals(code, 1);
  assertEquals(stderr.match(/\n/g)?.length, 1);
  assertStringIncludes(stderr, `the overlay in ${folder.file("no/such")}: No such file`);
});
