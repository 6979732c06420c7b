/**
 * `--resize`: disks that are made larger.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { writeAndVerify } from "../support/fio.ts";
import { createEncrypted, PASSPHRASE } from "../support/encrypted.ts";
import { asRoot, ExportedImage, isRunning, mustSoon } from "../support/program.ts";
import { eventually } from "../support/patience.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const program = asRoot();

async function virtualSize(image: string): Promise<number> {
  const text = await must("qemu-img", "info", "-U", "--output=json", image);
  return JSON.parse(text)["virtual-size"];
}

async function createImage(folder: TempDirectory, ...options: string[]): Promise<string> {
  const image = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, image, "64M");
  return image;
}

oracleTest("--resize makes the disk of an image larger", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder, "-o", "cluster_size=4096");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 5 60M 4M", image);
  for (const [size, bytes] of [["100MiB", 100], ["+1G", 1124], ["0x80000000", 2048]] as const) {
    assertEquals(await program.must("--resize", size, image), "");
    assertEquals(await virtualSize(image), bytes * MIB);
    const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
    assertEquals(code, 0, stdout);
  }
  const reads = ["-c", "read -q -P 5 60M 4M", "-c", "read -q -P 0 64M 512M"];
  await must("qemu-io", "-r", "-f", "qcow2", ...reads, image);
  assertEquals(program.processes(), []);
});

oracleTest("--resize takes RAW images, and refuses what cannot be", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const raw = folder.file("raw");
  Deno.writeFileSync(raw, new Uint8Array(MIB).fill(7));
  await program.must("--resize", "+3M", raw);
  assertEquals(Deno.statSync(raw).size, 4 * MIB);
  await program.must("--resize", "4M", "-t", "RAW", raw);
  const image = await createImage(folder);
  const refused = async (words: readonly string[], pattern: RegExp): Promise<void> => {
    const { code, stderr } = await program.run(...words);
    assertEquals(code, 1);
    assertMatch(stderr, pattern);
    assertEquals(stderr.trim().split("\n").length, 1);
  };
  await refused(["--resize", "1M", raw], /: failed to resize: it has 4194304 bytes, and is not/);
  await refused(["--resize", "1M", image], /: failed to resize: it has 67108864 bytes, and is not/);
  await refused(["--resize", "-1M", image], /: '-1M': a disk is not made smaller/);
  await refused(["--resize", "67108865", image], /multiple of 512/);
  await refused(["--resize", "3P", image], /an image has \d+ bytes at most/);
  const packed = folder.file("packed.gz");
  const gzip = new Blob([new Uint8Array(MIB)]).stream().pipeThrough(new CompressionStream("gzip"));
  Deno.writeFileSync(packed, await new Response(gzip).bytes());
  await refused(["--resize", "+1M", packed], /: failed to resize: the GZIP driver only reads$/m);
  await refused(["--resize", "many", image], /failed to parse size: 'many': Invalid argument/);
  assertEquals(await virtualSize(image), 64 * MIB);
  assertEquals(Deno.statSync(raw).size, 4 * MIB);
});

oracleTest(
  "--resize lengthens no file that may be no disk, unless told to",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const [volume, keyFile] = [folder.file("volume"), folder.file("key")];
    await createEncrypted(volume, MIB, {
      format: "luks",
      options: ["key-secret=s", "iter-time=10"],
    });
    Deno.writeTextFileSync(keyFile, PASSPHRASE);
    const image = await createImage(folder);
    const packed = folder.file("packed");
    Deno.writeTextFileSync(packed, "BZh91AY&SY");
    const grown = async (path: string, ...words: string[]): Promise<[number, string]> => {
      const before = Deno.statSync(path).size;
      const { code, stderr } = await program.run("--resize", "+1M", ...words, path);
      assertEquals(Deno.statSync(path).size - before, code === 0 ? MIB : 0, path);
      return [code, stderr.replace(`tslosetup: ${path}: `, "").trimEnd()];
    };
    const doubt = "failed to resize: it begins like an encrypted volume: -t RAW takes it as it is";
    assertEquals(await grown(volume), [1, doubt]);
    assertEquals(await grown(volume, "--key-file", keyFile), [1, doubt]);
    assertEquals(await grown(packed), [
      1,
      "failed to resize: it is compressed with bzip2: -t RAW takes it as it is",
    ]);
    assertEquals(await grown(volume, "-t", "LUKS", "--key-file", keyFile), [
      1,
      "failed to resize: images of this format are not made larger",
    ]);
    const unused = "warning: the image is not encrypted: the passphrase was not needed";
    assertEquals(await grown(volume, "-t", "RAW", "--key-file", keyFile), [0, unused]);
    assertEquals(await grown(packed, "-t", "RAW"), [
      0,
      "warning: it is compressed with bzip2 and made larger as it is",
    ]);
    assertEquals(await grown(image, "-t", "RAW"), [
      0,
      "warning: it begins like a QCOW image but is made larger as RAW (see --file-fmt-type)",
    ]);
  },
);

oracleTest("--resize unlocks what is encrypted", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("image.qcow2");
  await createEncrypted(image, 2 * MIB, {
    format: "qcow2",
    options: ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"],
  });
  const keyFile = folder.file("key");
  Deno.writeTextFileSync(keyFile, PASSPHRASE);
  const { code, stderr } = await program.run("--resize", "+1M", image);
  assertEquals(code, 1);
  assertMatch(stderr, /passphrase/);
  await program.must("--resize", "+1M", "--key-file", keyFile, image);
});

oracleTest("--resize refuses an image in use", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  const { code, stderr } = await program.run("--resize", "1G", image);
  assertEquals(code, 1);
  assertMatch(stderr, /failed to resize: .*in use/);
  await exported.detach();
  await program.must("--resize", "1G", image);
  await mustSoon("qemu-img", "check", "-q", "-f", "qcow2", image);
});

oracleTest("--resize has an image in use grow: clients that come later see it", [
  "qemu-img",
  "nbdinfo",
  "fio",
  "nbdcopy",
], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder, "-o", "cluster_size=4096");
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  const running = writeAndVerify(exported.uri);
  for (const mib of [65, 128, 600, 4000]) {
    await program.must("--resize", `${mib}MiB`, exported.socket);
    assertEquals(await must("nbdinfo", "--size", exported.uri), `${mib * MIB}\n`);
  }
  await running;
  const [listed] = JSON.parse(await program.must("-l", "-J", exported.socket)).loopdevices;
  assertEquals(listed.size, 4000 * MIB);
  {
    using client = await NbdClient.connect(exported.socket);
    await client.write(4000 * MIB - 4096, new Uint8Array(4096).fill(7));
  }
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", exported.uri, copy);
  await exported.detach();
  assertEquals(await virtualSize(image), 4000 * MIB);
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(code, 0, stdout);
  await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, copy);
});

oracleTest("--resize takes RAW images in use, with several threads", [
  "nbdinfo",
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const image = folder.file("raw");
  Deno.writeFileSync(image, new Uint8Array(MIB));
  const options = ["--threads", "4"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const clients = await Promise.all([1, 2, 3].map(() => NbdClient.connect(exported.socket)));
  for (const client of clients) await client.write(0, new Uint8Array(512).fill(3));
  await program.must("--resize", "+3MiB", exported.socket);
  assertEquals(await must("nbdinfo", "--size", exported.uri), `${4 * MIB}\n`);
  // Whatever thread they have.
  for (const client of clients) await client.write(3 * MIB, new Uint8Array(512).fill(5));
  for (const client of clients) client[Symbol.dispose]();
  await exported.detach();
  assertEquals(Deno.statSync(image).size, 4 * MIB);
});

oracleTest(
  "--resize cuts nothing off a RAW file that has become longer meanwhile",
  [],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("raw");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    await using exported = await ExportedImage.attach({ folder, image, options: [] });
    const longer = new Uint8Array(4 * MIB).fill(7, MIB);
    Deno.writeFileSync(image, longer);
    const { code, stderr } = await program.run("--resize", "2M", exported.socket);
    assertEquals(code, 1);
    assertMatch(stderr, /: its file has 4194304 bytes by now \(--set-capacity takes notice/);
    assertEquals(Deno.readFileSync(image), longer);
    await program.must("--set-capacity", exported.socket);
    await program.must("--resize", "+1M", exported.socket);
    await exported.detach();
    const wanted = new Uint8Array(5 * MIB);
    wanted.set(longer);
    assertEquals(Deno.readFileSync(image), wanted);
  },
);

oracleTest("--resize of what is attached says what is in its way", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  const refused = async (socket: string, words: string[], pattern: RegExp): Promise<void> => {
    const { code, stderr } = await program.run(...words, socket);
    assertEquals(code, 1);
    assertMatch(stderr, pattern);
    assertEquals(stderr.trim().split("\n").length, 1);
  };
  {
    const options = ["-r", "-t", "QCOW"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    await refused(exported.socket, ["--resize", "1G"], /: the device is read-only$/m);
    await exported.detach();
  }
  await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
  await refused(
    exported.socket,
    ["--resize", "1M"],
    /it has 67108864 bytes, and is not made small/,
  );
  await refused(exported.socket, ["--resize", "3P"], /an image has \d+ bytes at most/);
  Deno.kill(exported.pid, "SIGSTOP");
  try {
    await refused(exported.socket, ["--resize", "1G"], /is stopped: kill -CONT/);
  } finally {
    Deno.kill(exported.pid, "SIGCONT");
  }
  Deno.kill(exported.pid, "SIGKILL");
  await eventually(() => !isRunning(exported.pid), "the end of the daemon");
  await refused(exported.socket, ["--resize", "1G"], /its daemon \(pid \d+\) was killed$/m);
  await refused(exported.socket, ["-c"], /its daemon \(pid \d+\) was killed$/m);
  await exported.detach();
  assertEquals(await virtualSize(image), 64 * MIB);
});

oracleTest("a control socket is its user's alone, and goes with its daemon", [], async () => {
  using folder = new TempDirectory();
  const image = folder.file("raw");
  Deno.writeFileSync(image, new Uint8Array(MIB));
  const sockets = (): string[] =>
    [...Deno.readDirSync(program.stateDirectory)].map(({ name }) => name)
      .filter((name) => name.endsWith(".control"));
  const before = sockets();
  {
    await using exported = await ExportedImage.attach({ folder, image, options: [] });
    const [socket = ""] = sockets().filter((name) => !before.includes(name));
    const path = `${program.stateDirectory}/${socket}`;
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    // Whoever says nothing, or nonsense, keeps nobody from being served.
    const silent = await Deno.connect({ transport: "unix", path });
    for (
      const text of ["", "\n", "nonsense\n", '{"version":9,"kind":"grow"}\n', "x".repeat(9000)]
    ) {
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(new TextEncoder().encode(text)).catch(() => 0);
      if (text === "") await connection.closeWrite();
      const answer = new Uint8Array(1000);
      const count = await connection.read(answer) ?? 0;
      const { ok } = JSON.parse(new TextDecoder().decode(answer.subarray(0, count)));
      assertEquals(ok, false);
    }
    await program.must("--resize", "2MiB", exported.socket);
    silent.close();
    await exported.detach();
  }
  assertEquals(sockets(), before);
  await using exported = await ExportedImage.attach({ folder, image, options: [] });
  Deno.kill(exported.pid, "SIGKILL");
  await eventually(() => !isRunning(exported.pid), "the end of the daemon");
  await program.run("-l");
  assertEquals(sockets(), before);
});

oracleTest("-c takes notice that another program has made a QCOW image larger", [
  "qemu-img",
  "qemu-io",
  "nbdinfo",
  "nbdcopy",
], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder, "-o", "cluster_size=4096");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 5 0 64M", image);
  const larger = folder.file("larger.qcow2");
  Deno.copyFileSync(image, larger);
  await must("qemu-img", "resize", "-q", "-f", "qcow2", larger, "1G");
  await must("qemu-io", "-f", "qcow2", "-c", "write -q -P 6 1023M 1M", larger);
  const options = ["-r", "-t", "QCOW", "--threads", "3"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const clients = await Promise.all([1, 2, 3].map(() => NbdClient.connect(exported.socket)));
  for (const client of clients) await client.read(MIB, 4096);
  // Who knows nothing of locks.
  await must("dd", `if=${larger}`, `of=${image}`, "bs=1M", "conv=notrunc", "status=none");
  await program.must("-c", exported.socket);
  assertEquals(await must("nbdinfo", "--size", exported.uri), `${1024 * MIB}\n`);
  for (const client of clients) {
    assertEquals((await client.read(1023 * MIB, 512))[0], 6);
    client[Symbol.dispose]();
  }
  const copy = folder.file("copy");
  await mustSoon("nbdcopy", exported.uri, copy);
  await mustSoon("qemu-img", "compare", "-f", "qcow2", "-F", "raw", larger, copy);
});

oracleTest("--resize beyond the user's limit on files fails in order", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const image = await createImage(folder);
  const limited = 'ulimit -f 1000; exec "$@"';
  const words = [...program.command, "--resize", "1P", image];
  const { code, stderr } = await run("sh", "-c", limited, "sh", ...words);
  assertEquals(code, 1);
  assertEquals(stderr, `tslosetup: ${image}: failed to resize: File too large\n`);
  assertEquals(await virtualSize(image), 64 * MIB);
  const checked = await run("qemu-img", "check", "-f", "qcow2", image);
  assertEquals(checked.code, 0, checked.stdout);
});
