// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import type { FormatDriver } from "../../src/image/driver.ts";
import { DRIVERS } from "../../src/disk/registry.ts";

function rowOf({ name, aliases, writable, summary }: FormatDriver): string[] {
  const others = aliases.filter((alias) => alias !== name).join(", ");
  return [name, others, "yes", writable ? "yes" : "no", summary];
}

Deno.test("README.md has the table of formats that the registry has", () => {
  const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  const section = /<!-- formats:.*?-->(.*)<!-- end of formats -->/s.exec(readme)?.[1] ?? "";
  const rows = section.trim().split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  assertEquals(rows[0], ["format", "also called", "read", "write", "what"]);
  assertEquals(rows.slice(2), DRIVERS.map(rowOf));
});
