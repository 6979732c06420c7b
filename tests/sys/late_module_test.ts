// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { ImageFormatError } from "../../src/image/errors.ts";
import { lateModule } from "../../src/sys/late_module.ts";
import { isCompiled, programCommand } from "../support/program.ts";
import { missingTools, TempDirectory, testIfPossible } from "../support/tools.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LATE = /lateModule<\s*typeof import\("([^"]+)"\)\s*>\(\s*"([^"]+)",?\s*\)/g;

Deno.test("lateModule() gives the module that import gives", async () => {
  const errors = await lateModule<typeof import("../../src/image/errors.ts")>("image/errors");
  assertStrictEquals(errors().ImageFormatError, ImageFormatError);
});

/** Modules that are loaded late: by whom, of which type, and by which path. */
function* lateModules(folder = `${ROOT}src/`): Generator<[by: string, type: string, path: string]> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* lateModules(`${folder}${name}/`);
    if (!name.endsWith(".ts")) continue;
    const text = Deno.readTextFileSync(folder + name);
    for (const [, type = "", path = ""] of text.matchAll(LATE)) yield [folder + name, type, path];
  }
}

Deno.test("modules that are loaded late are those of their types, and entries of the bundle", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const entries: string[] = tasks.bundle.command.split(" ")
    .filter((word: string) => word.startsWith("src/"))
    .map((word: string) => `^${word.replaceAll("*", "\\w+")}$`);
  const found = [...lateModules()];
  assert(found.length > 20, `${found.length} found`);
  for (const [by, type, path] of found) {
    assertEquals(new URL(type, `file://${by}`).pathname, `${ROOT}src/${path}.ts`);
    assert(entries.some((entry) => new RegExp(entry).test(`src/${path}.ts`)), path);
  }
});

testIfPossible({
  name: "drivers are loaded without a look into folders that others may write to",
  // Deno looks into them for each of the sources.
  obstacle: isCompiled ? missingTools(["strace"]) : "only a binary has them within itself",
  fn: async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.img");
    const log = folder.file("log");
    Deno.writeFileSync(image, new Uint8Array(512));
    const traced = ["-f", "-e", "trace=file", "-o", log, ...programCommand()];
    const args = [...traced, "--info", "-t", "VHDX", image];
    const { stderr } = await new Deno.Command("strace", { args, cwd: folder.path }).output();
    assertStringIncludes(new TextDecoder().decode(stderr), "VHDX");
    const paths = [...Deno.readTextFileSync(log).matchAll(/"([^"]*(?:package\.json|\.m?js))"/g)];
    assertEquals([...new Set(paths.map(([, path]) => path))], ["/package.json"]);
  },
});

Deno.test("drivers hand on all that their code is asked with", async () => {
  const asked = ["open", "info", "check", "contentSteps", "obstacleToWriting"] as const;
  let compared = 0;
  for (const [by, , path] of lateModules()) {
    if (!path.endsWith("/driver")) continue;
    const code: Record<string, unknown> = await import(`${ROOT}src/${path}.ts`);
    const shown: Record<string, Record<string, unknown>> = await import(by);
    for (const driver of Object.values(shown)) {
      for (const name of asked) {
        const [outer, inner] = [driver[name], code[name]];
        if (typeof outer !== "function" || typeof inner !== "function") continue;
        assertEquals(outer.length, inner.length, `${path}: ${name}`);
        compared++;
      }
    }
  }
  assert(compared > 30, `${compared} compared`);
});
