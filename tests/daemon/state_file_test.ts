// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  appendLine,
  type FilePlace,
  isAtItsPlace,
  isPlaceHeld,
  openPlace,
  readLines,
  UnfinishedFile,
} from "../../src/daemon/state_file.ts";
import { linkStatus, O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { duplicate } from "../../src/sys/sockets.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function placeOf(path: string): FilePlace {
  return { path, inode: linkStatus(path).inode };
}

function linesOf(path: string): object | undefined {
  using fd = openFile(path, O_RDONLY);
  return readLines(fd.number);
}

Deno.test("UnfinishedFile is held from its beginning until its last descriptor is closed", () => {
  using folder = new TempDirectory();
  const path = folder.file("a.json");
  const unfinished = new UnfinishedFile(folder.path);
  assert(unfinished.isLocked);
  const [name = ""] = [...Deno.readDirSync(folder.path)].map((entry) => entry.name)
    .filter((name) => name.endsWith(".new"));
  assert(isPlaceHeld(placeOf(folder.file(name))), name);
  unfinished.finish(path, '{"a":1}');
  const daemons = duplicate(unfinished.fd);
  unfinished[Symbol.dispose]();
  assertEquals(linesOf(path), { a: 1 });
  assert(isPlaceHeld(placeOf(path)));
  daemons.close();
  assertFalse(isPlaceHeld(placeOf(path)));
});

Deno.test("UnfinishedFile leaves nothing if it was not finished", () => {
  using folder = new TempDirectory();
  {
    using _unfinished = new UnfinishedFile(folder.path);
    // With its control socket.
    assertEquals([...Deno.readDirSync(folder.path)].length, 2);
  }
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("UnfinishedFile does without a control socket where its path would be too long", () => {
  using folder = new TempDirectory();
  const deep = folder.file("d".repeat(100));
  Deno.mkdirSync(deep);
  using unfinished = new UnfinishedFile(deep);
  assertEquals(unfinished.control, undefined);
  assertEquals([...Deno.readDirSync(deep)].length, 1);
});

Deno.test("appendLine() adds to what readLines() reads, whoever has the file open", () => {
  using folder = new TempDirectory();
  using unfinished = new UnfinishedFile(folder.path);
  const path = folder.file("a.json");
  unfinished.finish(path, '{"a":1,"b":2}');
  using reader = openFile(path, O_RDONLY);
  using other = openPlace(placeOf(path), "append");
  appendLine(unfinished.fd, { b: 3 });
  appendLine(other?.number ?? -1, { c: 4 });
  Deno.removeSync(path);
  appendLine(unfinished.fd, { c: 5 });
  assertEquals(readLines(reader.number), { a: 1, b: 3, c: 5 });
  assertEquals(readLines(unfinished.fd), { a: 1, b: 3, c: 5 });
});

Deno.test("readLines() passes over a line that is being written, and what begins with none", () => {
  using folder = new TempDirectory();
  const path = folder.file("a");
  const texts = ['{"a":1}\n{"a":2}\n{"a":', '{"a":2}', "", "\n", "{", "null\n", '[]\n{"a":2}\n'];
  const expected = [{ a: 2 }, { a: 2 }, undefined, undefined, undefined, undefined, undefined];
  for (const [number, text] of texts.entries()) {
    Deno.writeTextFileSync(path, text);
    assertEquals(linesOf(path), expected[number], text);
  }
});

Deno.test("openPlace() opens neither another file at the same path, nor what is no file", () => {
  using folder = new TempDirectory();
  const path = folder.file("a");
  Deno.writeTextFileSync(path, "");
  const place = placeOf(path);
  // Kept, so that its inode is not given away again.
  Deno.renameSync(path, folder.file("b"));
  Deno.writeTextFileSync(path, "");
  assertEquals([openPlace(place, "read"), openPlace(place, "append")], [undefined, undefined]);
  assertEquals([isAtItsPlace(place), isPlaceHeld(place)], [false, false]);
  Deno.removeSync(path);
  assertEquals(openPlace(place, "read"), undefined);
  assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
  assertEquals(openPlace(placeOf(path), "read"), undefined);
});
