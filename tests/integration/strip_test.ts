// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isCompiled, programCommand } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const SETTINGS = new URL("../../deno.json", import.meta.url).pathname;
/** What a stripped program no longer says. */
const BEHIND_LAST_SECTION = "what follows the binary's last section";

/** The compiled binary or, made like it of another program, something that strip would cut as well. */
async function unstrippable(folder: TempDirectory): Promise<string> {
  const [binary = ""] = programCommand();
  return isCompiled ? binary : await madeLikeIt(folder);
}

async function madeLikeIt(folder: TempDirectory): Promise<string> {
  Deno.mkdirSync(folder.file("dist"));
  const path = folder.file("dist/tslosetup");
  Deno.copyFileSync("/bin/echo", path);
  Deno.writeTextFileSync(path, BEHIND_LAST_SECTION, { append: true });
  const { tasks } = JSON.parse(Deno.readTextFileSync(SETTINGS));
  await must("env", "-C", folder.path, "sh", "-c", tasks.unstrippable.command);
  return path;
}

// What makes an initramfs strips what it copies.
oracleTest("strip leaves the binary as it is", ["strip"], async () => {
  using folder = new TempDirectory();
  const binary = await unstrippable(folder);
  const copy = folder.file("tslosetup");
  for (const options of [[], ["-g", "-p"]]) {
    Deno.copyFileSync(binary, copy);
    assertEquals((await run("strip", ...options, copy)).code, 1);
    assertEquals(await must(copy, "--version"), await must(binary, "--version"));
    assertEquals(Deno.readFileSync(copy), Deno.readFileSync(binary));
  }
});
