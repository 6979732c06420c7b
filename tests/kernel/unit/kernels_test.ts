// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { TempDirectory } from "../../support/tools.ts";
import { listedKernels } from "../uml/kernels.ts";

Deno.test("listedKernels() takes kernels from folders, none of them twice", () => {
  using folder = new TempDirectory();
  const kernels = ["one", "two"].map((name) => {
    Deno.mkdirSync(folder.file(name));
    const program = folder.file(`${name}/linux.uml`);
    Deno.writeTextFileSync(program, "");
    return { program, modules: folder.file(`${name}/modules`) };
  });
  Deno.symlinkSync(folder.file("one"), folder.file("again"));
  const names = ["one", "", "missing", "again", "two"];
  const value = names.map((name) => name && folder.file(name)).join(":");
  const found = listedKernels(value).filter(({ program }) => program.startsWith(folder.path));
  assertEquals(found, kernels);
});
