// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { asRoot } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const NO_DEVICE = "failed to use device: No such device";
const TYPE = "to attach the image: tslosetup -r --find --show -t";

/** What an image alone is answered with, for a format and options of qemu's, and a file name. */
const ANSWERS: readonly [format: string, name: string, hint: (path: string) => string][] = [
  ["qcow2", "disk.qcow2", (path) => `; ${TYPE} QCOW ${path}`],
  ["qcow", "old disk's.qcow", (path) => `; ${TYPE} QCOW1 '${path.replace("'", "'\\''")}'`],
  ["vdi", "disk.vdi", (path) => `; ${TYPE} VDI ${path}`],
  ["vmdk", "disk.vmdk", (path) => `; ${TYPE} VMDK ${path}`],
  ["raw", "disk.img", () => ""],
];

oracleTest("an image alone gets a hint of what to type", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const program = asRoot();
  for (const [format, name, hint] of ANSWERS) {
    const path = folder.file(name);
    await must("qemu-img", "create", "-q", "-f", format, path, "1M");
    const { code, stdout, stderr } = await program.run(path);
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr, `tslosetup: ${path}: ${NO_DEVICE}${hint(path)}\n`);
  }
});

oracleTest("a name that is no image gets losetup's answer", ["mkfifo"], async () => {
  using folder = new TempDirectory();
  await must("mkfifo", folder.file("fifo"));
  for (const name of [folder.path, folder.file("fifo"), folder.file("nowhere"), "/dev/null"]) {
    const { code, stderr } = await asRoot().run(name);
    assertEquals([code, stderr], [1, `tslosetup: ${name}: ${NO_DEVICE}\n`]);
  }
});

Deno.test("no name at all is not that of the working folder", async () => {
  for (const action of [["--info"], ["--map"], ["--check"], ["--commit"], ["--resize", "1M"]]) {
    const { code, stderr } = await asRoot().run(...action, "");
    assertEquals(code, 1);
    assertMatch(stderr, /^tslosetup: : failed to [a-z ]+: No such file or directory\n$/);
  }
});

Deno.test("-c of an nbd device with nothing on it gets a hint: it is not qemu-nbd's", async () => {
  const { code, stderr } = await asRoot().run("-c", "/dev/nbd77");
  assertEquals(code, 1);
  assertMatch(stderr, /^tslosetup: .*; to attach an image: tslosetup \/dev\/nbd77 <file>\n$/);
});

Deno.test("lines of qemu-nbd's are refused on one line that has our words", async () => {
  const image = "/nowhere/a.qcow2";
  const ours = `tslosetup -r -t QCOW /dev/nbd77 ${image}`;
  const lines = [
    ["-rc", "/dev/nbd77", "-f", "qcow2", image, ours],
    ["-c", "/dev/nbd77", image, `tslosetup -t auto /dev/nbd77 ${image}`],
    ["--connect=/dev/nbd77", "-r", "--format=qcow2", image, ours],
    ["-P", "1", image, "-P without a number makes a device of each partition"],
  ];
  for (const words of lines) {
    const { code, stdout, stderr } = await asRoot().run(...words.slice(0, -1));
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^tslosetup: .*; for qemu-nbd's -(c|P|-connect): .*\n$/);
    assertEquals(stderr.split(": ").at(-1), `${words.at(-1)}\n`);
  }
});

Deno.test("--man prints the man page", async () => {
  const { code, stdout } = await asRoot().run("--man");
  assertEquals(code, 0);
  assertMatch(stdout, /^\.TH TSLOSETUP 8/mi);
});
