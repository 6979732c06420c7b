// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { asRoot, ExportedImage, type Surroundings } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const COLUMNS = 80;
const LONG = "images of the third department/".repeat(3);

/** What a command prints on a terminal of {@link COLUMNS}, line by line. */
async function onTerminal(
  { command }: Surroundings,
  words: readonly string[],
  locale = "C.UTF-8",
): Promise<string[]> {
  const quoted = ["env", `LC_ALL=${locale}`, ...command, ...words].map((word) => `'${word}'`);
  const script = `stty cols ${COLUMNS} rows 24; ${quoted.join(" ")}`;
  return (await must("script", "-qec", script, "/dev/null")).split("\r\n").slice(0, -1);
}

async function exportLong(folder: TempDirectory): Promise<ExportedImage> {
  Deno.mkdirSync(folder.file(LONG), { recursive: true });
  const image = folder.file(`${LONG}disk.img`);
  Deno.writeFileSync(image, new Uint8Array(65_536));
  return await ExportedImage.attach({ folder, image });
}

oracleTest("tslosetup -l has one line for each device on a terminal", ["script"], async () => {
  using folder = new TempDirectory();
  await using exported = await exportLong(folder);
  const { program, socket } = exported;
  const [heading = "", row = "", ...rest] = await onTerminal(program, ["-l", socket]);
  assertMatch(heading, /^NAME +RO BACK-FILE +FILE-FORMAT +SIZE$/);
  assertMatch(row, /…\S*\/socket +0 \/.*….*disk\.img +RAW +65536$/);
  assertEquals(rest, []);
  for (const line of [heading, row]) assert(Array.from(line).length <= COLUMNS, line);
  const [, ascii = ""] = await onTerminal(program, ["-l", socket], "C");
  assertMatch(ascii, / 0 \/.*\.\.\..*disk\.img +RAW +65536$/);
});

oracleTest(
  "names are whole off a terminal, and where columns are asked for",
  ["script"],
  async () => {
    using folder = new TempDirectory();
    await using exported = await exportLong(folder);
    const { program, socket } = exported;
    const image = folder.file(`${LONG}disk.img`);
    assertStringIncludes(await program.must("-nl", socket), `${socket}  0 ${image} RAW`);
    assertEquals(await onTerminal(program, ["-nO", "BACK-FILE", socket]), [image]);
    const raw = `${socket} 0 0 0 0 ${image.replaceAll(" ", "\\x20")} RAW`;
    assertEquals((await onTerminal(program, ["-nl", "--raw", socket]))[0]?.startsWith(raw), true);
  },
);

oracleTest("tslosetup -l shows offsets and limits where there are any", [], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.img");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  const options = ["-o", "512", "--sizelimit", "4096"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const { program, socket } = exported;
  const cells = (await program.must("-l", socket)).trim().split(/\s+/);
  const headings = ["NAME", "SIZELIMIT", "OFFSET", "RO", "BACK-FILE", "FILE-FORMAT", "SIZE"];
  assertEquals(cells, [...headings, socket, "4096", "512", "0", image, "RAW", "4096"]);
  const all = await asRoot().must("-l");
  assertMatch(all, /^NAME +SIZELIMIT +OFFSET +RO +BACK-FILE +FILE-FORMAT +SIZE\n/);
});

Deno.test("-l says of a socket that was removed that no client can connect any more", async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.img");
  Deno.writeFileSync(image, new Uint8Array(65_536));
  await using exported = await ExportedImage.attach({ folder, image });
  const { program, socket } = exported;
  assertEquals((await program.run("-l")).stderr, "");
  Deno.removeSync(socket);
  const { code, stdout, stderr } = await program.run("-l");
  assertEquals([code, stdout.includes(socket)], [0, true]);
  assertEquals(
    stderr,
    `tslosetup: ${socket}: warning: the socket was removed: no client can connect any more; ` +
      `end its daemon with: tslosetup -d ${socket}\n`,
  );
  assertEquals(await program.run("-d", socket), { code: 0, stdout: "", stderr: "" });
  assert(exported.isGone);
});
