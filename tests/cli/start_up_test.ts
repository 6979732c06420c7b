// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { must } from "../support/tools.ts";

const CHECKOUT = new URL("../..", import.meta.url).href;

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

/** The modules that are loaded with `entries`, as paths in the checkout or specifiers. */
async function loadedWith(...entries: string[]): Promise<string[]> {
  const args = ["info", "--json", `${CHECKOUT}src/main.ts`];
  const { modules } = JSON.parse(await must(Deno.execPath(), ...args)) as Graph;
  const found = new Set<string>();
  const waiting = entries.map((entry) => CHECKOUT + entry);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    const module = modules.find(({ specifier }) => specifier === next);
    for (const { isDynamic, code } of module?.dependencies ?? []) {
      if (isDynamic !== true && code !== undefined) waiting.push(code.specifier);
    }
  }
  return [...found].map((specifier) => specifier.replace(CHECKOUT, "")).sort();
}

function within(modules: readonly string[], ...prefixes: string[]): string[] {
  return modules.filter((module) => prefixes.some((prefix) => module.startsWith(prefix)));
}

const FOREIGN = ["node:", "npm:", "jsr:", "https:"];

Deno.test("the command line is understood without the C library and the drivers", async () => {
  const modules = await loadedWith("src/main.ts", "src/cli/run.ts");
  assert(modules.includes("src/cli/words/getopt.ts"));
  assertEquals(within(modules, "src/sys/libc.ts", "src/format/", ...FOREIGN), []);
});

Deno.test("-l loads neither drivers nor servers", async () => {
  const modules = await loadedWith("src/main.ts", "src/cli/run.ts", "src/cli/list.ts");
  assert(modules.includes("src/sys/libc.ts"));
  assertEquals(within(modules, "src/format/", "src/serve/", "src/nbd/", ...FOREIGN), []);
  assert(modules.length < 105, `${modules.length} modules`);
});

Deno.test("attaching over a server loads no drivers: its daemon does, at the same time", async () => {
  const command = ["src/main.ts", "src/cli/run.ts", "src/cli/head_start.ts", "src/cli/attach.ts"];
  for (const attacher of ["socket_attach.ts", "fuse_attach.ts", "nbd_attach.ts"]) {
    const modules = await loadedWith(...command, `src/device/${attacher}`);
    assert(modules.includes("src/disk/open_file.ts"));
    assertEquals(within(modules, "src/format/", "src/serve/", "src/view/", ...FOREIGN), []);
  }
});

Deno.test("-d loads neither drivers nor what attaches", async () => {
  const modules = await loadedWith("src/main.ts", "src/cli/run.ts", "src/cli/detach.ts");
  const needless = ["src/format/", "src/serve/", "src/nbd/", "src/disk/", ...FOREIGN];
  assertEquals(within(modules, ...needless), []);
});

Deno.test("a daemon starts without any decompressor", async () => {
  const modules = await loadedWith("src/main.ts", "src/daemon/main.ts");
  assert(modules.includes("src/format/qcow/mod.ts"));
  assertEquals(within(modules, "node:zlib", "node:crypto", "npm:", "jsr:", "https:"), []);
});
