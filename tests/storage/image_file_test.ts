// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { openImageFile } from "../../src/disk/open_file.ts";
import { memoryFile } from "../../src/kernel/memory_file.ts";
import { Attempt } from "../../src/storage/attempt.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { LentFd, O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { must, rootTest, TempDirectory } from "../support/tools.ts";
import { becomesCold } from "../support/page_cache.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const FALLOC_PUNCH_KEEPING_SIZE = 3;

function write(folder: TempDirectory, content: Uint8Array): string {
  Deno.writeFileSync(folder.file("disk"), content);
  return folder.file("disk");
}

Deno.test("ImageFile.read() reads zeros past the end of the file", () => {
  using folder = new TempDirectory();
  const content = seededBytes(1000, 1);
  using file = openImageFile(write(folder, content), { readOnly: true }).file;
  assertEquals(file.sizeBytes, 1000);
  const attempt = new Attempt();
  for (const mayWait of [true, false]) {
    attempt.mayWait = mayWait;
    const target = new IoBuffer(600);
    target.bytes.fill(7);
    assert(attempt.read(file, target, 50, 700, 500));
    assert(sameBytes(target.bytes.subarray(50, 350), content.subarray(700)));
    assert(target.bytes.subarray(350, 550).every((byte) => byte === 0));
    assertEquals([target.bytes[49], target.bytes[550]], [7, 7]);
    assert(attempt.read(file, target, 0, 2 ** 45, 600));
    assert(target.bytes.every((byte) => byte === 0));
  }
});

Deno.test("Attempt.read() says what is missing, and reads what has been brought in", () => {
  using folder = new TempDirectory();
  using file = openImageFile(write(folder, seededBytes(1000, 1)), { readOnly: true }).file;
  Object.defineProperty(file, "cacheKnowledge", { value: "unknown" });
  const attempt = new Attempt();
  attempt.mayWait = false;
  attempt.awaited = { addWaiter: () => {} };
  const target = new IoBuffer(100);
  assertFalse(attempt.read(file, target, 0, 500, 100));
  const { missing } = attempt;
  assertEquals([missing.file, missing.hostOffset, missing.hostBytes], [file, 500, 100]);
  assertEquals(attempt.awaited, undefined);
  attempt.warm.set(file, 400, 150);
  assertFalse(attempt.read(file, target, 0, 500, 100));
  assert(attempt.read(file, target, 0, 450, 100));
  assert(sameBytes(target.bytes, seededBytes(1000, 1).subarray(450, 550)));
});

Deno.test("ImageFile.write() and allocate() change just their range", () => {
  using folder = new TempDirectory();
  const model = seededBytes(64 * 1024, 1);
  const path = write(folder, model);
  using file = openImageFile(path, { readOnly: false }).file;
  const source = new IoBuffer(100);
  source.bytes.fill(9);
  file.write(source, 10, 5000, 90);
  model.fill(9, 5000, 5090);
  assert(file.allocate(FALLOC_PUNCH_KEEPING_SIZE, 8192, 4096));
  model.fill(0, 8192, 12288);
  assert(sameBytes(Deno.readFileSync(path), model));
});

Deno.test("ImageFile.write() makes the file longer, and knows it", () => {
  using folder = new TempDirectory();
  using file = openImageFile(write(folder, new Uint8Array(1000)), { readOnly: false }).file;
  file.write(new IoBuffer(100), 0, 500, 100);
  assertEquals(file.sizeBytes, 1000);
  file.write(new IoBuffer(100), 0, 5000, 100);
  assertEquals(file.sizeBytes, 5100);
  file.hasWritten(6000, 10);
  assertEquals(file.sizeBytes, 6010);
  file.refreshSize();
  assertEquals(file.sizeBytes, 5100);
});

Deno.test("ImageFile throws what the system says", () => {
  using folder = new TempDirectory();
  const path = write(folder, new Uint8Array(512));
  using file = openImageFile(path, { readOnly: true }).file;
  const error = assertThrows(() => file.write(new IoBuffer(8), 0, 0, 8), SystemError);
  assertEquals([error.syscall, error.errno, error.path], ["write", 9, path]);
  assertThrows(() => file.allocate(FALLOC_PUNCH_KEEPING_SIZE, 0, 8), SystemError);
  const closed = openImageFile(path, { readOnly: true }).file;
  closed[Symbol.dispose]();
  assertThrows(() => closed.read(new IoBuffer(8), 0, 0, 8), SystemError, "Bad file descriptor");
});

Deno.test("ImageFile knows that memory is always at hand", () => {
  using memory = memoryFile("disk", new Uint8Array(4096).fill(3));
  using file = openImageFile(`/proc/self/fd/${memory.number}`, { readOnly: true }).file;
  assert(file.cacheKnowledge !== "unknown");
  const target = new IoBuffer(4096);
  assertEquals(file.readAtHand(target, 0, 0, 4096), 4096);
  assertEquals(target.bytes[4095], 3);
});

Deno.test("ImageFile.readAtHand() does not wait for a disk", async () => {
  using folder = new TempDirectory();
  const content = seededBytes(8 * 1024 * 1024, 1);
  using file = openImageFile(write(folder, content), { readOnly: true }).file;
  const target = new IoBuffer(content.length);
  const atHand = (): number => file.readAtHand(target, 0, 0, content.length);
  await becomesCold(file, () => atHand() < content.length);
  file.read(target, 0, 0, content.length);
  target.bytes.fill(0);
  assertEquals(atHand(), content.length);
  assert(sameBytes(target.bytes, content));
});

Deno.test("openImageFile() refuses what has no content of its own", () => {
  using folder = new TempDirectory();
  const wanted = { readOnly: false };
  assertThrows(() => openImageFile(folder.path, wanted), SystemError, "Is a directory");
  assertThrows(() => openImageFile("/dev/null", wanted), SystemError, "Block device required");
  assertThrows(() => openImageFile(folder.file("missing"), wanted), SystemError, "No such file");
});

rootTest(
  "openImageFile() takes a read-only block device for what it is",
  ["losetup"],
  async () => {
    using folder = new TempDirectory();
    const path = write(folder, new Uint8Array(65536));
    for (const [options, expected] of [[["-r"], true], [[], false]] as const) {
      const device = (await must("losetup", "--find", "--show", ...options, path)).trim();
      try {
        const { file, readOnly } = openImageFile(device, { readOnly: false });
        assertEquals([readOnly, file.sizeBytes], [expected, 65536]);
        file[Symbol.dispose]();
      } finally {
        await must("losetup", "-d", device);
      }
    }
  },
);

Deno.test("ImageFile closes its own descriptor, and leaves a lent one open", () => {
  using folder = new TempDirectory();
  const fd = openFile(write(folder, new Uint8Array(1)), O_RDONLY);
  const { number } = fd;
  new ImageFile(new LentFd(number), "disk")[Symbol.dispose]();
  Deno.readLinkSync(`/proc/self/fd/${number}`);
  new ImageFile(fd, "disk")[Symbol.dispose]();
  assertThrows(() => Deno.readLinkSync(`/proc/self/fd/${number}`));
});
