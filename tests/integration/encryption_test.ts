// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import {
  createEncrypted,
  decryptByQemu,
  fillEncrypted,
  imageOptions,
  keyFileOf,
  makeVolume,
  PASSPHRASE,
  SECRET_OBJECT,
} from "../support/encrypted.ts";
import { mappedMemory } from "../support/memory_flags.ts";
import { eventually } from "../support/patience.ts";
import {
  asRoot,
  asRootElsewhere,
  bindStates,
  ExportedImage,
  mustSoon,
} from "../support/program.ts";
import { must, oracleTest, rootTest, run, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const CONNECTIONS = 4;
const WRITES = ["write -P 7 0 1M", "write -P 99 1200k 3k", "write -P 5 1999k 1k"];
const LUKS = ["-r", "-t", "LUKS"];

/** A volume whose disk is 2 MiB, in a file `disk` of the folder. */
async function filledVolume(folder: TempDirectory): Promise<string> {
  const path = folder.file("disk");
  await makeVolume(path, { sizeBytes: 4 * MIB });
  await fillEncrypted(path, "luks", WRITES);
  return path;
}

oracleTest(
  "tslosetup serves a LUKS volume on every connection",
  ["cryptsetup", "qemu-img", "qemu-io", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const image = await filledVolume(folder);
    await decryptByQemu(image, "luks", folder.file("raw"));
    const options = [...LUKS, "--key-file", keyFileOf(image), "--threads", `${CONNECTIONS}`];
    await using exported = await ExportedImage.attach({ folder, image, options });
    assertEquals(exported.attached.stderr, "");
    Deno.removeSync(keyFileOf(image)); // nobody needs it any more
    const copy = folder.file("copy");
    await mustSoon("nbdcopy", `--connections=${CONNECTIONS}`, exported.uri, copy);
    assert(sameBytes(await Deno.readFile(copy), await Deno.readFile(folder.file("raw"))));
    checkNoLeak(exported);
  },
);

oracleTest(
  "a LUKS volume is written to, and nothing of that reaches the file as it is",
  ["cryptsetup", "qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const image = await filledVolume(folder);
    await decryptByQemu(image, "luks", folder.file("before"));
    const model = Deno.readFileSync(folder.file("before"));
    const options = ["-t", "LUKS", "--key-file", keyFileOf(image)];
    await using exported = await ExportedImage.attach({ folder, image, options });
    assertEquals(exported.attached.stderr, "");
    using client = await NbdClient.connect(exported.socket);
    const secret = new TextEncoder().encode("nobody is to find this in the file");
    for (const offset of [0, 4095, 700 * 1024 + 13, model.length - secret.length]) {
      await client.write(offset, secret);
      model.set(secret, offset);
    }
    assert(sameBytes(await client.read(0, model.length), model));
    await exported.detach();
    assert(!Deno.readTextFileSync(image).includes("nobody is to find"));
    await decryptByQemu(image, "luks", folder.file("raw"));
    assert(sameBytes(Deno.readFileSync(folder.file("raw")), model));
  },
);

/** Neither the passphrase nor any spelling of it is where others could look. */
function checkNoLeak({ pid, program: { stateDirectory } }: ExportedImage): void {
  const states = Array.from(Deno.readDirSync(stateDirectory), ({ name }) => name)
    .map((name) => `${stateDirectory}/${name}`).filter((path) => Deno.statSync(path).isFile);
  assert(states.length > 0);
  for (const path of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, ...states]) {
    const text = Deno.readTextFileSync(path);
    for (const secret of [PASSPHRASE, btoa(PASSPHRASE), encodeURI(PASSPHRASE)]) {
      assert(!text.includes(secret), path);
    }
  }
}

oracleTest(
  "keys are locked in memory, and a daemon that has some leaves no core dump",
  ["cryptsetup", "qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    const image = await filledVolume(folder);
    const options = [...LUKS, "--key-file", keyFileOf(image)];
    await using exported = await ExportedImage.attach({ folder, image, options });
    const secrets = mappedMemory(exported.pid).filter(({ flags }) =>
      flags.includes("lo") && flags.includes("dd")
    );
    // The passphrase, which is overwritten by now, and the key.
    assert(secrets.length > 0);
    const limits = Deno.readTextFileSync(`/proc/${exported.pid}/limits`);
    assertMatch(limits, /^Max core file size +1 +1 +bytes/m);
  },
);

rootTest(
  "keys that may not be locked in memory are used all the same",
  ["cryptsetup", "qemu-img", "qemu-io", "setpriv", "unshare"],
  async () => {
    using folder = new TempDirectory();
    const image = await filledVolume(folder);
    const restrict = "setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock";
    const enter = `${bindStates()} && ulimit -l 0 && exec ${restrict} "$@"`;
    const as = asRootElsewhere(["unshare", "--mount", "sh", "-c", enter, "sh"]);
    const options = [...LUKS, "--key-file", keyFileOf(image)];
    await using exported = await ExportedImage.attach({ folder, image, options, as });
    assertEquals(exported.attached.stderr, "");
    const locked = mappedMemory(exported.pid).filter(({ flags }) => flags.includes("lo"));
    assertEquals(locked, []);
    using client = await NbdClient.connect(exported.socket);
    assertEquals(await client.read(0, 4096), new Uint8Array(4096).fill(7));
  },
);

oracleTest(
  "tslosetup serves an encrypted QCOW image",
  ["qemu-img", "qemu-io", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const [image, keyFile] = [folder.file("disk"), folder.file("key")];
    const options = ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"];
    await createEncrypted(image, 2 * MIB, { format: "qcow2", options });
    await fillEncrypted(image, "qcow2", WRITES);
    await decryptByQemu(image, "qcow2", folder.file("raw"));
    Deno.writeTextFileSync(keyFile, PASSPHRASE);
    const words = ["-r", "-t", "QCOW", "--key-file", keyFile];
    await using exported = await ExportedImage.attach({ folder, image, options: words });
    await mustSoon("nbdcopy", exported.uri, folder.file("copy"));
    const copy = await Deno.readFile(folder.file("copy"));
    assert(sameBytes(copy, await Deno.readFile(folder.file("raw"))));
    await checkMap(image);
  },
);

interface MapEntry {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly data: boolean;
}

/** Which does not need the passphrase. */
async function checkMap(image: string): Promise<void> {
  const told = await asRoot().must("--map", "--json", "-t", "QCOW", image);
  const name = ["--image-opts", imageOptions(image, "qcow2")];
  const expected = await must("qemu-img", "map", ...SECRET_OBJECT, "--output=json", ...name);
  const entriesOf = (json: string): MapEntry[] =>
    (JSON.parse(json) as MapEntry[])
      .map(({ start, length, zero, data }) => ({ start, length, zero, data }));
  assertEquals(entriesOf(told), entriesOf(expected));
}

oracleTest("tslosetup says what is wrong with a passphrase", ["cryptsetup"], async (t) => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await makeVolume(image, { sizeBytes: 4 * MIB });
  const wrong = (name: string, content: string): string => {
    Deno.writeTextFileSync(folder.file(name), content);
    return folder.file(name);
  };
  const cases: [name: string, words: string[], says: RegExp][] = [
    ["none", [], /the image is encrypted: --key-file /],
    ["a wrong one", ["--key-file", wrong("wrong", "x")], /does not unlock the image$/],
    ["an empty one", ["--key-file", wrong("empty", "")], /does not unlock the image$/],
    ["a line", ["--key-file", wrong("line", `${PASSPHRASE}\n`)], /line feed, which is a part/],
    ["a missing file", ["--key-file", folder.file("nothing")], /nothing: No such file/],
    ["a folder", ["--key-file", folder.path], /Is a directory$/],
    ["an endless file", ["--key-file", "/dev/zero"], /it has more than \d+ bytes$/],
    ["standard input, empty", ["--key-file", "-"], /does not unlock the image$/],
  ];
  for (const [name, words, says] of cases) {
    await t.step(name, async () => {
      const program = asRoot();
      const socket = folder.file("socket");
      const { code, stdout, stderr } = await program.run(
        "--socket",
        socket,
        ...LUKS,
        ...words,
        image,
      );
      assertEquals([code, stdout], [1, ""]);
      assertMatch(stderr.trimEnd(), /^tslosetup: [^\n]*$/);
      assertMatch(stderr.trimEnd(), says);
      await eventually(() => program.processes().length === 0, "the daemon to end");
    });
  }
});

oracleTest("tslosetup warns of a passphrase that is of no use", [], async () => {
  using folder = new TempDirectory();
  const [image, keyFile] = [folder.file("disk"), folder.file("key")];
  Deno.writeFileSync(image, new Uint8Array(MIB));
  Deno.writeTextFileSync(keyFile, PASSPHRASE);
  const options = ["-r", "--key-file", keyFile];
  await using exported = await ExportedImage.attach({ folder, image, options });
  assertMatch(exported.attached.stderr, /warning: the image is not encrypted/);
});

/** Types `keys` when `command` has asked for the passphrase; returns all that the terminal showed. */
async function answer(command: readonly string[], keys: string): Promise<string> {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const terminal = new Deno.Command("script", {
    args: ["--quiet", "--return", "--flush", "--command", quoted, "/dev/null"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const keyboard = terminal.stdin.getWriter();
  let shown = "";
  let isAnswered = false;
  for await (const text of terminal.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    if (isAnswered || !shown.includes("assphrase for")) continue;
    isAnswered = true;
    await keyboard.write(new TextEncoder().encode(keys));
  }
  await keyboard.close();
  await terminal.status;
  return shown;
}

oracleTest(
  "tslosetup asks for a passphrase on the terminal",
  ["cryptsetup", "script"],
  async (t) => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    await makeVolume(image, { sizeBytes: 4 * MIB });
    const program = asRoot();
    const socket = folder.file("socket");
    const command = [...program.command, "--socket", socket, "--show", ...LUKS, image];
    await t.step("which takes it without echo, corrected as it is typed", async () => {
      const shown = await answer(command, `x\x15corrX\x7f${PASSPHRASE.slice(4)}\r`);
      assert(!shown.includes("horse") && shown.includes("nbd+unix:"), shown);
      await program.must("-d", socket);
    });
    await t.step("and ends with Ctrl-C", async () => {
      assertMatch(await answer(command, "corr\x03"), /no passphrase was given/);
    });
    await t.step("or with what is wrong", async () => {
      assertMatch(await answer(command, "wrong\r"), /does not unlock the image/);
    });
  },
);

oracleTest("tslosetup takes a passphrase from standard input", ["cryptsetup"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await makeVolume(image, { sizeBytes: 4 * MIB });
  const program = asRoot();
  const words = ["--socket", folder.file("socket"), ...LUKS, "--key-file", "-", image];
  const script = 'exec <"$1"; shift; exec "$@"';
  const command = ["sh", "-c", script, "sh", keyFileOf(image), ...program.command, ...words];
  const [shell = "", ...args] = command;
  const { code, stderr } = await run(shell, ...args);
  assertEquals([code, stderr], [0, ""]);
  await program.must("-d", folder.file("socket"));
});
