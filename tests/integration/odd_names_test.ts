/**
 * Names that would do something to a terminal: nothing that people read has them as they are.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { asRoot, ExportedImage, type Surroundings } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

/** An escape sequence of 7 and one of 8 bits, text from right to left, and what cannot be seen. */
const ODD = "e\x1b[31m-\u009b31m-\u202egpj.\u2066-\u200b\u061c\u200e-\x7f";
/** All that is not to be printed; line feeds, but for those in the name, end lines. */
// deno-lint-ignore no-control-regex
const DANGEROUS = /[\x00-\x09\x0b-\x1f\x7f-\x9f\p{Cf}]/u;
/** How a part of the name is to be read. */
const ESCAPED = "\\xe2\\x80\\xae";

function assertSafe(text: string): void {
  assert(!DANGEROUS.test(text), JSON.stringify(text));
  assertStringIncludes(text, ESCAPED);
}

oracleTest("errors name files safely", [], async () => {
  const program = asRoot();
  for (
    const words of [
      ["--socket", "/tmp/s", ODD],
      ["--info", ODD],
      ["-f", ODD],
      ["-d", ODD],
      [ODD],
      [`--${ODD}`],
      ["-t", ODD, "file"],
      ["-o", ODD, "file"],
      ["--socket", "/tmp/s", "-t", "LUKS", "--key-file", ODD, "/etc/hostname"],
    ]
  ) {
    const { code, stdout, stderr } = await program.run(...words);
    assertEquals([code, stdout], [1, ""]);
    assertSafe(stderr);
  }
});

oracleTest("--info and --map name images safely", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const [image, base] = [folder.file(ODD), folder.file(`${ODD}.base`)];
  await must("qemu-img", "create", "-q", "-f", "raw", base, "64K");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image);
  await must("qemu-img", "snapshot", "-c", ODD.replaceAll("\x1b", ""), image);
  const program = asRoot();
  assertSafe(await program.must("--info", image));
  assertSafe(await program.must("--map", image));
});

oracleTest(
  "listings name images safely, lines of losetup's on a terminal",
  ["script"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file(ODD);
    Deno.writeFileSync(image, new Uint8Array(65_536));
    await using exported = await ExportedImage.attach({ folder, image });
    const { program, socket } = exported;
    assertSafe(await program.must("-l", socket));
    assertSafe(await program.must("-O", "BACK-FILE", socket));
    for (const words of [[socket], ["-j", image], ["-l", socket]]) {
      assertSafe((await onTerminal(program, words)).replaceAll("\r\n", "\n"));
    }
    // Whatever reads losetup's lines finds names in them as they are.
    assertStringIncludes(await program.must(socket), `(${image})`);
  },
);

function onTerminal({ command }: Surroundings, words: readonly string[]): Promise<string> {
  const quoted = [...command, ...words].map((word) => `'${word}'`).join(" ");
  return must("script", "-qec", `stty cols 400; ${quoted}`, "/dev/null");
}
