// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { asRoot, ExportedImage, type Surroundings } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

/** What is offered, as words and explanations. */
async function offered(program: Surroundings, ...words: string[]): Promise<string[][]> {
  const { stdout, stderr } = await program.run("--internal-complete", ...words);
  assertEquals(stderr, "");
  return stdout.split("\n").slice(0, -1).map((line) => line.split("\t"));
}

oracleTest("completions are told an image's snapshots by name", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  const base = folder.file("base");
  await must("qemu-img", "create", "-q", "-f", "raw", base, "1M");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image);
  for (const name of ["before", "my snap", "it's", "2", "e\x1b[2J", "two\nlines"]) {
    await must("qemu-img", "snapshot", "-c", name, image);
  }
  // Nothing but the image itself is looked at.
  Deno.removeSync(base);
  const program = asRoot();
  const offers = await offered(program, "snapshots", image);
  assertEquals(offers.map(([word]) => word).slice(0, 3), ["before", "my snap", "it's"]);
  assertEquals(offers.slice(3, 6).map(([word]) => word), ["4", "5", "6"]);
  assertEquals(offers[0]?.[1]?.replace(/\d{4}-\d\d-\d\d/, "DAY"), "snapshot 1 of DAY");
  assertStringIncludes(offers[4]?.[1] ?? "", "e\\x1b[2J of ");
  for (const [word = ""] of offers) {
    const words = ["--map", "--no-backing", "--snapshot", word, image];
    assertEquals((await program.run(...words)).code, 0, word);
  }
});

oracleTest("completions get nothing from what is no image, and no complaint", [], async () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("text"), "QFI\xfb");
  const program = asRoot();
  for (const name of ["text", "nowhere", "."]) {
    assertEquals(await offered(program, "snapshots", folder.file(name)), []);
  }
  assertEquals(await offered(program, "nonsense"), []);
  assertEquals(await offered(program, "snapshots"), []);
});

oracleTest("completions are told what is attached, by its name as it is", [], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk image");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const name = "my socket";
  await using exported = await ExportedImage.attach({ folder, image, name });
  const offers = await offered(exported.program, "devices");
  assertEquals(offers.find(([word]) => word === exported.socket), [exported.socket, image]);
  Deno.kill(exported.pid, "SIGKILL");
});
