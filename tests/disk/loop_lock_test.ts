// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { ImageInUseError, lockForLoop, lockImage } from "../../src/disk/lock.ts";
import { parseLocks } from "../../src/disk/lock_table.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { openImageFile } from "../format/opened_image.ts";
import { oracleTest, run, TempDirectory } from "../support/tools.ts";

/** Uses of an image that last as long as somebody has it open. */
const USES = {
  reader: { readOnly: true, lock: (file: ImageFile) => lockImage(file, "read") },
  writer: { readOnly: false, lock: (file: ImageFile) => lockImage(file, "write") },
  loop: { readOnly: false, lock: (file: ImageFile) => lockForLoop(file, "write") },
  readLoop: { readOnly: true, lock: (file: ImageFile) => lockForLoop(file, "read") },
};
type UseName = keyof typeof USES;

/** An image used in some ways at once. */
class Used implements Disposable {
  readonly #folder = new TempDirectory();
  readonly #files: ImageFile[] = [];
  readonly path = this.#folder.file("disk");

  constructor(...uses: readonly UseName[]) {
    Deno.writeFileSync(this.path, new Uint8Array(4096));
    for (const use of uses) assert(this.use(use), use);
  }

  /** Whether it can be used so, besides. */
  use(use: UseName): boolean {
    const { readOnly, lock } = USES[use];
    const file = openImageFile(this.path, { readOnly });
    try {
      assert(lock(file));
      this.#files.push(file);
      return true;
    } catch (error) {
      file[Symbol.dispose]();
      if (error instanceof ImageInUseError) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Which uses are possible beside what there is. */
function possible(...uses: readonly UseName[]): UseName[] {
  return (Object.keys(USES) as UseName[]).filter((use) => {
    using image = new Used(...uses);
    return image.use(use);
  });
}

Deno.test("lockForLoop() has plain loop devices bear each other, and nobody else beside writers", () => {
  assertEquals(possible("loop"), ["loop", "readLoop"]);
  assertEquals(possible("readLoop"), ["reader", "loop", "readLoop"]);
  assertEquals(possible("reader"), ["reader", "readLoop"]);
  assertEquals(possible("writer"), ["readLoop"]);
});

Deno.test("lockForLoop() sees others behind plain loop devices", () => {
  assertEquals(possible("loop", "loop", "readLoop"), ["loop", "readLoop"]);
  assertEquals(possible("readLoop", "reader"), ["reader", "readLoop"]);
  assertEquals(possible("reader", "readLoop", "readLoop"), ["reader", "readLoop"]);
  assertEquals(possible("writer", "readLoop"), ["readLoop"]);
});

Deno.test("lockForLoop() leaves nothing of a device that was refused", () => {
  using image = new Used("reader");
  assertEquals(image.use("loop"), false);
  assertEquals([image.use("reader"), image.use("readLoop")], [true, true]);
});

oracleTest("qemu keeps its rules beside lockForLoop()", ["qemu-img", "qemu-io"], async () => {
  using folder = new TempDirectory();
  const commands: readonly (readonly [string, ...string[]])[] = [
    ["qemu-img", "info", "-f", "raw", "IMAGE"],
    ["qemu-img", "convert", "-U", "-f", "raw", "-O", "raw", "IMAGE", folder.file("copy")],
    ["qemu-img", "convert", "-f", "raw", "-O", "raw", "IMAGE", folder.file("copy")],
    ["qemu-io", "-f", "raw", "-c", "write 0 512", "IMAGE"],
  ];
  for (const [use, expected] of [["readLoop", [0, 0, 0, 1]], ["loop", [0, 0, 1, 1]]] as const) {
    using image = new Used(use);
    const codes: number[] = [];
    for (const [program, ...args] of commands) {
      const words = args.map((word) => word === "IMAGE" ? image.path : word);
      codes.push((await run(program, ...words)).code);
    }
    assertEquals(codes, [...expected], use);
  }
});

Deno.test("parseLocks() reads the kernel's lines, but not of those who wait", () => {
  const text = "1: OFDLCK ADVISORY  READ -1 fe:00:393231 100 101\n" +
    "2: POSIX  ADVISORY  WRITE 643 00:19:1234 0 EOF\n" +
    "2: -> POSIX  ADVISORY  WRITE 700 00:19:1234 0 EOF\n" +
    "3: FLOCK  ADVISORY  WRITE 1 00:1a:5 0 EOF\n";
  assertEquals(parseLocks(text), [
    { major: 254, minor: 0, inode: 393231n, first: 100, last: 101 },
    { major: 0, minor: 25, inode: 1234n, first: 0, last: Infinity },
    { major: 0, minor: 26, inode: 5n, first: 0, last: Infinity },
  ]);
});
