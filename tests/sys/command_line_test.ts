// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must } from "../support/tools.ts";

const MODULE = new URL("../../src/sys/command_line.ts", import.meta.url).href;
const ROOM_BYTES = 40;

/** What a process's command line ends with that has shown two words in its room. */
async function shown(
  first: string,
  second: string,
  room = " ".repeat(ROOM_BYTES),
): Promise<string> {
  const script = `
    const { CommandLineRoom } = await import(${JSON.stringify(MODULE)});
    CommandLineRoom.find(${ROOM_BYTES})?.show(${JSON.stringify(first)}, ${JSON.stringify(second)});
    const line = Deno.readTextFileSync("/proc/self/cmdline");
    console.log(JSON.stringify(line.slice(-${ROOM_BYTES} - 1)));
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const flags = ["run", "--quiet", "--no-check", "--allow-all"];
    return JSON.parse(await must(Deno.execPath(), ...flags, file, room));
  } finally {
    await Deno.remove(file);
  }
}

function padded(text: string): string {
  return text.padEnd(ROOM_BYTES + 1, "\0");
}

Deno.test("CommandLineRoom.show() shows both words as arguments", async () => {
  assertEquals(await shown("/dev/loop0", "/a b.qcow2"), padded("/dev/loop0\0/a b.qcow2"));
});

Deno.test("CommandLineRoom.show() keeps the end of a path that is too long", async () => {
  const path = `/${"folder/".repeat(9)}x.qcow2`;
  const room = ROOM_BYTES - "/dev/loop0\0...".length;
  assertEquals(await shown("/dev/loop0", path), padded(`/dev/loop0\0...${path.slice(-room)}`));
});

Deno.test("CommandLineRoom.find() takes nothing else for room", async () => {
  const argument = "x".repeat(ROOM_BYTES);
  assertEquals(await shown("/dev/loop0", "/image", argument), padded(argument));
});
