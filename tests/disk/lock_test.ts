// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertMatch, assertThrows } from "@std/assert";
import { ImageInUseError, lockImage } from "../../src/disk/lock.ts";
import { holdsLock } from "../../src/disk/lock_holder.ts";
import { type FileStatus, fileStatus } from "../../src/sys/files.ts";
import { openImageFile } from "../format/opened_image.ts";
import { QemuNbd } from "../support/qemu_nbd.ts";
import { oracleTest, run, TempDirectory } from "../support/tools.ts";

function imagePath(folder: TempDirectory): string {
  const path = folder.file("disk");
  Deno.writeFileSync(path, new Uint8Array(4096));
  return path;
}

/** Tries to lock the image once more; whether that works. */
function canLock(path: string, mode: "read" | "write"): boolean {
  using file = openImageFile(path, { readOnly: mode === "read" });
  try {
    return lockImage(file, mode);
  } catch (error) {
    if (error instanceof ImageInUseError) return false;
    throw error;
  }
}

Deno.test("lockImage() lets readers share, and a writer be alone", () => {
  using folder = new TempDirectory();
  const path = imagePath(folder);
  {
    using reader = openImageFile(path);
    assert(lockImage(reader, "read"));
    assertEquals([canLock(path, "read"), canLock(path, "write")], [true, false]);
  }
  {
    using writer = openImageFile(path, { readOnly: false });
    assert(lockImage(writer, "write"));
    assertEquals([canLock(path, "read"), canLock(path, "write")], [false, false]);
  }
  assertEquals([canLock(path, "read"), canLock(path, "write")], [true, true]);
});

Deno.test("lockImage() goes by the size that the file has once it is locked", () => {
  using folder = new TempDirectory();
  const path = imagePath(folder);
  for (const mode of ["read", "write"] as const) {
    using file = openImageFile(path, { readOnly: mode === "read" });
    const longer = file.sizeBytes + 4096;
    Deno.truncateSync(path, longer);
    lockImage(file, mode);
    assertEquals(file.sizeBytes, longer);
  }
});

Deno.test("lockImage() leaves no lock behind where it is refused", () => {
  using folder = new TempDirectory();
  const path = imagePath(folder);
  using reader = openImageFile(path);
  lockImage(reader, "read");
  assertFalse(canLock(path, "write"));
  assert(canLock(path, "read"));
});

const STATUS: FileStatus = {
  kind: "file",
  mode: 0o644,
  uid: 0,
  inode: 393231,
  exactInode: 393231n,
  allocatedBytes: 0,
  sizeBytes: 0,
  deviceMajor: 0xfe,
  deviceMinor: 0x10,
  specialMajor: 0,
  specialMinor: 0,
};

/** A text of /proc/PID/fdinfo/N with one lock. */
function fdinfo(lock: string): string {
  return `pos:\t0\nflags:\t02100002\nmnt_id:\t28\nino:\t393231\nlock:\t1: ${lock}\n`;
}

Deno.test("holdsLock() finds a byte in the range of a lock", () => {
  const text = fdinfo("OFDLCK ADVISORY  READ -1 fe:10:393231 100 103");
  assertEquals([99, 100, 101, 103, 104].map((byte) => holdsLock(text, STATUS, byte)), [
    false,
    true,
    true,
    true,
    false,
  ]);
  const open = fdinfo("OFDLCK ADVISORY  WRITE -1 fe:10:393231 100 EOF");
  assert(holdsLock(open, STATUS, 2 ** 40));
  const several = fdinfo("POSIX  ADVISORY  WRITE 7 fe:10:393231 0 0") +
    "lock:\t2: OFDLCK ADVISORY  READ -1 fe:10:393231 201 201\n";
  assert(holdsLock(several, STATUS, 201));
});

Deno.test("holdsLock() is not misled by other files, and by texts without locks", () => {
  for (
    const lock of [
      "OFDLCK ADVISORY  READ -1 fe:10:393232 100 103",
      "OFDLCK ADVISORY  READ -1 fe:11:393231 100 103",
      "OFDLCK ADVISORY  READ -1 fd:10:393231 100 103",
      "OFDLCK ADVISORY  READ -1 100 103",
      "nonsense",
    ]
  ) assertFalse(holdsLock(fdinfo(lock), STATUS, 101), lock);
  assertFalse(holdsLock("", STATUS, 100));
  assertFalse(holdsLock("pos:\t0\nino:\t393231\n", STATUS, 100));
});

oracleTest(
  "lockImage() is refused what qemu-nbd has open, and names it",
  ["qemu-nbd"],
  async () => {
    using folder = new TempDirectory();
    const path = imagePath(folder);
    for (const [options, canRead] of [[[], false], [["-r"], true]] as const) {
      await using server = await QemuNbd.start(folder, path, ...options);
      const file = openImageFile(path, { readOnly: false });
      const error = assertThrows(() => lockImage(file, "write"), ImageInUseError);
      file[Symbol.dispose]();
      assertEquals(error.holder, `qemu-nbd (pid ${server.pid})`);
      assertEquals(error.path, path);
      assertEquals(canLock(path, "read"), canRead);
    }
  },
);

oracleTest("qemu-io is refused to write to what is locked", ["qemu-io"], async () => {
  using folder = new TempDirectory();
  const path = imagePath(folder);
  const write = ["-f", "raw", "-c", "write 0 512", path];
  for (const mode of ["read", "write"] as const) {
    using file = openImageFile(path, { readOnly: false });
    lockImage(file, mode);
    const { code, stderr } = await run("qemu-io", ...write);
    assertEquals(code, 1);
    assertMatch(stderr, /lock/);
  }
  assertEquals((await run("qemu-io", ...write)).code, 0);
  assertEquals(fileStatus(path).sizeBytes, 4096);
});
