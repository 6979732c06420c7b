// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { parseCommand } from "../../src/cli/words/command.ts";
import { idleOptions } from "../../src/device/idle_options.ts";
import { FORMAT_NAMES } from "../../src/image/formats.ts";

/** The options of `line` that say nothing about a device over `transport`. */
function idle(line: string, transport: Parameters<typeof idleOptions>[1]): string[] {
  const command = parseCommand(line.split(" "), FORMAT_NAMES);
  if (command.kind !== "attach") throw new Error(command.kind);
  return idleOptions(command, transport).map((text) => text.split(" ")[0] ?? "");
}

Deno.test("idleOptions() names what has no effect, and only if it was given", () => {
  const server = "--threads 2 --cache-size 1M --data-cache-size 1M --cache-clean-interval 1 " +
    "--cache unsafe --discard ignore --detect-zeroes on";
  assertEquals(idle("-f img", "loop"), []);
  assertEquals(idle(`${server} -f img`, "loop"), server.split(" ").filter((_, n) => n % 2 === 0));
  assertEquals(idle(`${server} -f img`, "fuse"), []);
  for (const transport of ["loop", "nbd", "fuse", "socket"] as const) {
    assertEquals(idle("--kernel-decode on -f img", transport), ["--kernel-decode"]);
  }
  assertEquals(idle("-n -f img", "loop"), []);
  assertEquals(idle("-n -f img", "nbd"), ["-n"]);
  assertEquals(idle("--kernel-decode on -f img", "view"), []);
  assertEquals(idle("--kernel-decode off -f img", "loop"), []);
});
