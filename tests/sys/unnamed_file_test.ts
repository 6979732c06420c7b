// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { EEXIST, ENOENT, SystemError } from "../../src/sys/errno.ts";
import { openFileStatus, writeText } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { NewFile, unnamedFile } from "../../src/sys/unnamed_file.ts";
import { TempDirectory } from "../support/tools.ts";

openLibc();

const namesIn = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("unnamedFile() makes a file that nobody else finds", () => {
  using folder = new TempDirectory();
  using fd = unnamedFile(folder.path);
  writeText(fd.number, "text");
  assertEquals(openFileStatus(fd.number).sizeBytes, 4);
  assertEquals(openFileStatus(fd.number).mode, 0o600);
  assertEquals(namesIn(folder.path), []);
});

Deno.test("unnamedFile() says where there can be none", () => {
  using folder = new TempDirectory();
  const error = assertThrows(() => unnamedFile(folder.file("none")), SystemError);
  assertEquals(error.errno, ENOENT);
});

Deno.test("NewFile is there, whole, when it is published", () => {
  using folder = new TempDirectory();
  const path = folder.file("new");
  using file = new NewFile(path, 0o600);
  using fd = file.fd;
  writeText(fd.number, "all of it");
  assertEquals(namesIn(folder.path), []);
  file.publish();
  assertEquals(Deno.readTextFileSync(path), "all of it");
  assertEquals(namesIn(folder.path), ["new"]);
});

Deno.test("NewFile leaves nothing if it is not published, and what is there alone", () => {
  using folder = new TempDirectory();
  const path = folder.file("new");
  {
    using file = new NewFile(path, 0o600);
    using _fd = file.fd;
  }
  assertEquals(namesIn(folder.path), []);
  using file = new NewFile(path, 0o600);
  using _fd = file.fd;
  Deno.writeTextFileSync(path, "theirs");
  const error = assertThrows(() => file.publish(), SystemError);
  assertEquals(error.errno, EEXIST);
  assert(Deno.readTextFileSync(path) === "theirs");
});
