// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildExtent, descriptor } from "../format/vmdk/image_builder.ts";
import { asRoot, ExportedImage } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

function makeImage(path: string): string {
  Deno.writeFileSync(path, new Uint8Array(65_536));
  return path;
}

Deno.test("-d of an image detaches all that shows it, by whatever name, and nothing else", async () => {
  using folder = new TempDirectory();
  const [image, another] = [makeImage(folder.file("disk")), makeImage(folder.file("another"))];
  Deno.linkSync(image, folder.file("link"));
  const options = ["-r"];
  await using one = await ExportedImage.attach({ folder, image, options, name: "one" });
  await using two = await ExportedImage.attach({ folder, image, options, name: "two" });
  await using other = await ExportedImage.attach({ folder, image: another, name: "other" });
  const { code, stdout, stderr } = await one.program.run("-v", "-d", folder.file("link"));
  assertEquals([code, stdout], [0, ""]);
  assertEquals(
    stderr.split("\n").sort().join("\n"),
    `\ntslosetup: detaching ${one.socket}\ntslosetup: detaching ${two.socket}`,
  );
  assert(one.isGone && two.isGone && other.isRunning);
  assertEquals((await other.program.run("-d", another)).stderr, "");
  assert(other.isGone);
});

Deno.test("-j and -d of any piece find the device of the image", async () => {
  using folder = new TempDirectory();
  const image = folder.file("x.vmdk");
  const pieces = ["x-s001.vmdk", "x-flat.vmdk"].map((name) => folder.file(name));
  const [sparse = "", flat = ""] = pieces;
  const lines = ['RW 16 SPARSE "x-s001.vmdk"', 'RW 8 FLAT "x-flat.vmdk" 0'];
  Deno.writeTextFileSync(image, descriptor(lines));
  Deno.writeFileSync(sparse, buildExtent({ map: [0, 1] }));
  Deno.writeFileSync(flat, new Uint8Array(4096));
  const stranger = makeImage(folder.file("x-f001.vmdk"));
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "VMDK"] });
  const { program, socket } = exported;
  for (const name of [image, ...pieces]) {
    assertStringIncludes(await program.must("-j", name), socket);
  }
  assertEquals(await program.must("-j", stranger), "");
  assertEquals((await program.run("-d", stranger)).code, 1);
  await program.must("-d", flat);
  assert(exported.isGone);
});

Deno.test("-v announces only what there is to detach", async () => {
  const program = asRoot();
  const { code, stderr } = await program.run("-v", "-d", "nothing", "/tmp/nothing");
  assertEquals(code, 1);
  assert(!stderr.includes("detaching"), stderr);
});

Deno.test("-d of an image that nothing shows fails in losetup's words", async () => {
  using folder = new TempDirectory();
  const image = makeImage(folder.file("disk"));
  await using exported = await ExportedImage.attach({ folder, image });
  await exported.detach();
  const { code, stderr } = await exported.program.run("-d", image);
  assertEquals(code, 1);
  const reason = "failed to use device: No such device";
  assertEquals(stderr, `tslosetup: ${image}: ${reason}\n`);
});

Deno.test("-d of a partition of an nbd device names the device", async () => {
  using folder = new TempDirectory();
  const image = makeImage(folder.file("disk"));
  await using exported = await ExportedImage.attach({ folder, image });
  for (const name of ["/dev/nbd15p2", "nbd15p2"]) {
    const { code, stderr } = await exported.program.run("-d", name);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      `${name}: failed to use device: No such device; it is a partition `,
    );
    assertStringIncludes(stderr, "of /dev/nbd15\n");
  }
});

Deno.test("a device is found by its overlay, too, if that is a file that stays", async () => {
  using folder = new TempDirectory();
  const image = makeImage(folder.file("disk"));
  const [first, second] = [folder.file("first"), folder.file("second")];
  const over = (overlay: string, name: string): Promise<ExportedImage> =>
    ExportedImage.attach({ folder, image, options: [`--overlay=${overlay}`], name });
  await using one = await over(first, "one");
  await using two = await over(second, "two");
  await using plain = await ExportedImage.attach({ folder, image, options: ["-r"], name: "plain" });
  Deno.renameSync(first, folder.file("renamed"));
  Deno.symlinkSync("renamed", folder.file("link"));
  const found = async (file: string): Promise<string[]> => {
    const listed = await one.program.must("--raw", "-n", "-O", "NAME,BACK-FILE", "-j", file);
    return listed.split("\n").filter((line) => line !== "").sort();
  };
  const shown = [one, plain, two].map(({ socket }) => `${socket} ${image}`);
  assertEquals(await found(image), shown);
  assertEquals(await found(folder.file("link")), shown.slice(0, 1));
  assertEquals(await found(second), shown.slice(2));
  assertEquals((await one.program.run("-d", folder.file("link"))).stderr, "");
  assert(one.isGone && two.isRunning && plain.isRunning);
  await two.program.must("-d", image);
  assert(two.isGone && plain.isGone);
});
