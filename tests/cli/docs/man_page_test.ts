// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { generated } from "../../../src/cli/docs/generate.ts";
import { roff } from "../../../src/cli/docs/roff.ts";
import { LIST_COLUMNS } from "../../../src/cli/listing/columns.ts";
import { OPTIONS } from "../../../src/cli/words/option_table.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { TRANSPORTS } from "../../../src/device/transports.ts";
import { FORMATS } from "../../../src/image/formats.ts";
import { must, oracleTest, run, TempDirectory } from "../../support/tools.ts";

const PAGE = generated("man");

/** Writes the page to a file for `use`. */
async function withPage(use: (path: string) => Promise<void>): Promise<void> {
  using folder = new TempDirectory();
  const path = folder.file("tslosetup.8");
  await Deno.writeTextFile(path, PAGE);
  await use(path);
}

Deno.test("generated() knows what there is", () => {
  assertThrows(() => generated("csh"), UsageError, "known: man, bash, zsh, fish");
});

Deno.test("roff() marks what is typed and what stands for something, and escapes the rest", () => {
  assertEquals(roff("`-t QCOW` <file>, 1 < 2"), "\\fB\\-t QCOW\\fR \\fIfile\\fR, 1 < 2");
  assertEquals(roff("back\\slash isn't"), "back\\eslash isn\\(aqt");
  assertEquals(roff(".hidden"), "\\&.hidden");
});

Deno.test("roff() breaks long lines, never so that a request begins", () => {
  const words = `${"word ".repeat(15)}wo .TH ${"end ".repeat(30)}`;
  const lines = roff(words).split("\n");
  assert(lines.length > 2);
  for (const line of lines) assert(line.length <= 80 && !line.startsWith("."), line);
  assertEquals(lines.join(" ").replaceAll("\\&", ""), words.trim());
});

oracleTest("the man page has every option, format, transport and column", ["mandoc"], async () => {
  await withPage(async (path) => {
    const text = await must("mandoc", "-T", "utf8", "-O", "width=200", path);
    // bold is struck twice, with a backspace between
    const plain = Array.from(text)
      .filter((letter, index, all) => letter !== "\b" && all[index + 1] !== "\b").join("");
    for (const { short, long } of OPTIONS) {
      const names = [...(short === "" ? [] : [`-${short}`]), ...long.map((name) => `--${name}`)];
      assertStringIncludes(plain, `\n     ${"  "}${names.join(", ")}`);
    }
    const terms = [...FORMATS, ...TRANSPORTS.map((name) => ({ name }))].map(({ name }) => name);
    for (const term of [...terms, ...LIST_COLUMNS.map(({ heading }) => heading)]) {
      assert(new RegExp(`^ +${term}\\b`, "m").test(plain), term);
    }
  });
});

oracleTest("the man page satisfies mandoc's lint", ["mandoc"], async () => {
  await withPage(async (path) => {
    assertEquals((await run("mandoc", "-T", "lint", path)).stdout, "");
  });
});

oracleTest("the man page makes man complain of nothing", ["man"], async () => {
  await withPage(async (path) => {
    const script = 'LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$1" >/dev/null';
    assertEquals(await run("sh", "-c", script, "sh", path), { code: 0, stdout: "", stderr: "" });
  });
});
