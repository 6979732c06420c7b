// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ENOENT, SystemError } from "../../src/sys/errno.ts";
import { listDirectory } from "../../src/sys/directories.ts";
import {
  Fd,
  fileExists,
  fileStatus,
  fileStatusIfAny,
  linkStatus,
  O_RDONLY,
  O_RDWR,
  openFile,
  openFileStatus,
  readText,
  readTextFile,
  readTextIfAny,
  removeFile,
  replaceFile,
  seekableSize,
  writeAttribute,
  writeText,
} from "../../src/sys/files.ts";
import { readLink, realPath } from "../../src/sys/paths.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("openFile() opens close-on-exec, and names what it could not open", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  const error = assertThrows(() => openFile(path, O_RDONLY), SystemError);
  assertEquals([error.syscall, error.errno, error.path], ["open", ENOENT, path]);
  assertEquals(error.message, "No such file or directory");
  Deno.writeTextFileSync(path, "x");
  using file = openFile(path, O_RDONLY);
  const info = Deno.readTextFileSync(`/proc/self/fdinfo/${file.number}`);
  assert(/flags:\s*0?2[0-7]{6}\b/.test(info), info);
});

Deno.test("Fd.close() closes once, and release() gives the descriptor away", () => {
  const [end, start] = pipe();
  const number = end.number;
  end.close();
  end.close();
  assertEquals(end.number, -1);
  assertFalse(exists(`/proc/self/fd/${number}`));
  const released = start.release();
  start.close();
  assert(exists(`/proc/self/fd/${released}`));
  new Fd(released).close();
});

Deno.test("fileStatus() tells kind, owner, size and numbers as stat does", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  Deno.writeFileSync(path, new Uint8Array(12345));
  Deno.chmodSync(path, 0o640);
  const expected = Deno.statSync(path);
  const status = fileStatus(path);
  assertEquals(
    [status.kind, status.mode, status.uid, status.inode, status.sizeBytes],
    ["file", 0o640, expected.uid, expected.ino, 12345],
  );
  const device = (status.deviceMajor & 0xfff) * 256 + (status.deviceMinor & 0xff);
  assertEquals(device, expected.dev & 0xfffff);
  assertEquals(fileStatus(folder.path).kind, "directory");
  const nothing = fileStatus("/dev/null");
  assertEquals(
    [nothing.kind, nothing.specialMajor, nothing.specialMinor],
    ["character", 1, 3],
  );
});

Deno.test("fileStatus() follows links, linkStatus() does not", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  Deno.writeTextFileSync(path, "abc");
  Deno.symlinkSync("file", folder.file("link"));
  assertEquals(fileStatus(folder.file("link")).sizeBytes, 3);
  assertEquals(linkStatus(folder.file("link")).kind, "link");
  assertEquals(linkStatus(path).inode, fileStatus(path).inode);
  using file = openFile(path, O_RDONLY);
  assertEquals(openFileStatus(file.number), fileStatus(path));
});

Deno.test("fileStatusIfAny() and fileExists() know what is missing", () => {
  using folder = new TempDirectory();
  assertEquals(fileStatusIfAny(folder.file("missing")), undefined);
  assertFalse(fileExists(folder.file("missing")));
  assert(fileExists(folder.path));
  assertThrows(() => fileStatus(folder.file("missing")), SystemError);
});

Deno.test("seekableSize() knows sizes beyond 4 GiB", () => {
  using folder = new TempDirectory();
  const path = folder.file("sparse");
  Deno.writeTextFileSync(path, "");
  Deno.truncateSync(path, 5 * 2 ** 40 + 513);
  using file = openFile(path, O_RDONLY);
  assertEquals(seekableSize(file.number, path), 5n * 2n ** 40n + 513n);
  const [end, start] = pipe();
  assertThrows(() => seekableSize(end.number, "pipe"), SystemError);
  end.close();
  start.close();
});

Deno.test("readTextFile() reads files of any length, and those of /proc", () => {
  using folder = new TempDirectory();
  const path = folder.file("text");
  const text = "zwölf Boxkämpfer \u{1f600}\n".repeat(10_000);
  Deno.writeTextFileSync(path, text);
  assertEquals(readTextFile(path), text);
  assertEquals(readTextIfAny("/proc/self/comm"), Deno.readTextFileSync("/proc/self/comm").trim());
  assertEquals(readTextIfAny(folder.file("missing")), undefined);
  assertEquals(readTextIfAny(folder.path), undefined);
});

Deno.test("writeText() writes all of a long text to a pipe", () => {
  const [end, start] = pipe();
  const text = "0123456789".repeat(6000);
  writeText(start.number, text);
  start.close();
  assertEquals(readText(end.number), text);
  end.close();
});

Deno.test("writeAttribute() writes to files that are there, and only those", () => {
  using folder = new TempDirectory();
  const path = folder.file("attribute");
  assertThrows(() => writeAttribute(path, "1"), SystemError);
  assertFalse(exists(path));
  Deno.writeTextFileSync(path, "0");
  writeAttribute(path, "1");
  assertEquals(Deno.readTextFileSync(path), "1");
});

Deno.test("replaceFile() leaves the old content where it fails, and nothing else ever", () => {
  using folder = new TempDirectory();
  const path = folder.file("state");
  replaceFile(path, "one");
  replaceFile(path, "two");
  assertEquals(Deno.readTextFileSync(path), "two");
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  assertEquals(listDirectory(folder.path), ["state"]);
  Deno.mkdirSync(folder.file("folder"));
  assertThrows(() => replaceFile(folder.file("folder"), "x"), SystemError);
  assertEquals(listDirectory(folder.path), ["folder", "state"]);
});

Deno.test("realPath() and readLink() take no path that is no text for that of another file", () => {
  using folder = new TempDirectory();
  const { path } = folder;
  const make = 'f=$(printf "disk\\377"); : > "$f" && ln -s "$f" link';
  new Deno.Command("sh", { args: ["-c", make], cwd: path }).outputSync();
  Deno.writeTextFileSync(folder.file("disk\ufffd"), "another");
  for (const follow of [realPath, readLink]) {
    assertThrows(() => follow(folder.file("link")), SystemError, "Invalid or incomplete");
  }
  assertEquals(realPath(folder.file("disk\ufffd")), `${Deno.realPathSync(path)}/disk\ufffd`);
});

Deno.test("readLink() and realPath() follow links", () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "");
  Deno.symlinkSync("file", folder.file("link"));
  const real = Deno.realPathSync(folder.file("file"));
  assertEquals(readLink(folder.file("link")), "file");
  assertEquals(realPath(folder.file("./link")), real);
  assertThrows(() => realPath(folder.file("missing")), SystemError, "No such file");
  assertThrows(() => readLink(folder.file("file")), SystemError);
});

Deno.test("removeFile() takes what is done already as done", () => {
  using folder = new TempDirectory();
  const path = folder.file("file");
  removeFile(path);
  Deno.writeTextFileSync(path, "");
  removeFile(path);
  assertFalse(exists(path));
  assertThrows(() => removeFile(folder.path), SystemError);
});

Deno.test("Fd closes itself at the end of its scope", () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("file"), "");
  let number: number;
  {
    using file = openFile(folder.file("file"), O_RDWR);
    number = file.number;
    assert(exists(`/proc/self/fd/${number}`));
  }
  assertFalse(exists(`/proc/self/fd/${number}`));
});
