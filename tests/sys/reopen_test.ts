// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { EACCES, ESTALE, SystemError } from "../../src/sys/errno.ts";
import {
  Fd,
  fileStatus,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openFile,
  readText,
} from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { handleIn, isSameFile, openSameFile, reopenFile } from "../../src/sys/reopen.ts";
import { must, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** A file `path` and a handle on it. */
class Scene implements Disposable {
  readonly folder = new TempDirectory();
  readonly path = this.folder.file("file");
  readonly handle: Fd;

  constructor() {
    Deno.writeTextFileSync(this.path, "first");
    this.handle = openFile(this.path, O_PATH);
  }

  /** Puts a pipe where the file was. */
  async swap(): Promise<void> {
    await must("mkfifo", `${this.path}.pipe`);
    Deno.renameSync(`${this.path}.pipe`, this.path);
  }

  [Symbol.dispose](): void {
    this.handle.close();
    this.folder[Symbol.dispose]();
  }
}

function flags({ number }: Fd): number {
  const info = Deno.readTextFileSync(`/proc/self/fdinfo/${number}`);
  return parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? "", 8);
}

Deno.test("reopenFile() opens what the handle is on, whatever the path leads to", async () => {
  using scene = new Scene();
  await scene.swap();
  using file = reopenFile(scene.handle.number, scene.path, O_RDWR);
  assertEquals(readText(file.number), "first");
  Deno.removeSync(scene.path);
  using again = reopenFile(file.number, scene.path, O_RDONLY);
  assertEquals(readText(again.number), "first");
});

Deno.test("reopenFile() tells what open(2) does, with the path", () => {
  using handle = openFile("/proc/self", O_PATH);
  const error = assertThrows(() => reopenFile(handle.number, "x", O_RDWR), SystemError);
  assertEquals([error.syscall, error.path, error.errno === EACCES], ["open", "x", false]);
});

Deno.test("openSameFile() opens the same file or none, and does not wait for it", async () => {
  using scene = new Scene();
  {
    using file = openSameFile(scene.handle.number, scene.path, O_RDONLY);
    assertEquals([readText(file.number), flags(file) & O_NONBLOCK], ["first", 0]);
  }
  await scene.swap();
  const open = (): Fd => openSameFile(scene.handle.number, scene.path, O_RDONLY);
  assertEquals(assertThrows(open, SystemError).errno, ESTALE);
});

Deno.test("handleIn() finds files from a folder on, and follows links or not", () => {
  using scene = new Scene();
  Deno.symlinkSync("file", scene.folder.file("link"));
  using folder = openFile(scene.folder.path, O_PATH);
  using followed = handleIn("link", { folder, followLinks: true });
  using file = reopenFile(followed.number, "link", O_RDONLY);
  assertEquals(readText(file.number), "first");
  using link = handleIn("link", { folder, followLinks: false });
  assertThrows(() => reopenFile(link.number, "link", O_RDONLY), SystemError);
  assertThrows(() => handleIn("missing", { folder, followLinks: true }), SystemError);
});

Deno.test("isSameFile() compares every bit of an inode's number", () => {
  using folder = new TempDirectory();
  const status = fileStatus(folder.path);
  const one = { ...status, inode: 2 ** 60, exactInode: 2n ** 60n };
  assertEquals(isSameFile(status, status), true);
  assertEquals(isSameFile(one, { ...one, exactInode: 2n ** 60n + 1n }), false);
});
