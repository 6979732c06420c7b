// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isCompiled, programCommand } from "../support/program.ts";
import { missingTools, must, run, TempDirectory, testIfPossible } from "../support/tools.ts";

// What makes an initramfs strips what it copies.
testIfPossible({
  name: "strip leaves the binary as it is",
  obstacle: isCompiled ? missingTools(["strip"]) : "not compiled",
  fn: async () => {
    using folder = new TempDirectory();
    const [binary = ""] = programCommand();
    const copy = folder.file("tslosetup");
    for (const options of [[], ["-g", "-p"]]) {
      Deno.copyFileSync(binary, copy);
      assertEquals((await run("strip", ...options, copy)).code, 1);
      assertEquals(await must(copy, "--version"), await must(binary, "--version"));
      assertEquals(Deno.statSync(copy).size, Deno.statSync(binary).size);
    }
  },
});
