// @ts-types="../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { seededBytes } from "../../nbd/served_image.ts";
import { eventually } from "../../support/patience.ts";
import { must, run, runPatiently, TempDirectory } from "../../support/tools.ts";
import {
  allocatedBytes,
  checksums,
  Device,
  deviceTest,
  KIB,
  makeSparse,
  MIB,
  writeFiles,
} from "./device.ts";

deviceTest(
  "ext4 made on a RAW image keeps 200 MB of files; fstrim gives their space back",
  ["mkfs.ext4", "e2fsck", "fstrim", "mount"],
  async () => {
    using folder = new TempDirectory();
    const [image, tree, mnt] = [folder.file("disk"), folder.file("tree"), folder.file("mnt")];
    makeSparse(image, 320 * MIB);
    Deno.mkdirSync(tree);
    writeFiles(tree, 200 * MIB, 5);
    {
      await using device = await Device.attach(image);
      await must("mkfs.ext4", "-q", device.path);
      await device.mount(mnt);
      await must("cp", "-r", `${tree}/.`, mnt);
      await device.unmount(mnt);
      await device.detach();
      await device.gone();
    }
    await must("e2fsck", "-f", "-n", image);
    const filled = allocatedBytes(image);
    assertGreater(filled, 200 * MIB);
    await using device = await Device.attach(image);
    await device.mount(mnt);
    assertEquals(await checksums(mnt), await checksums(tree));
    await must("sh", "-c", `rm -r ${mnt}/folder*; sync --file-system ${mnt}`);
    await must("fstrim", mnt);
    assertLess(allocatedBytes(image), filled - 180 * MIB);
    await device.unmount(mnt);
    await device.detach();
    await must("e2fsck", "-f", "-n", image);
  },
);

deviceTest("fio finds every block that it has written, at depth 32", ["fio"], async (t) => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), 64 * MIB));
  const verify = async (...job: readonly string[]): Promise<void> => {
    const checks = [
      "--verify=crc32c",
      "--verify_fatal=1",
      "--do_verify=1",
      "--verify_state_save=0",
    ];
    const how = ["--ioengine=libaio", "--iodepth=32", "--direct=1", "--size=64m", "--fsync=64"];
    await must("fio", "--name=verify", `--filename=${device.path}`, ...job, ...how, ...checks);
  };
  await t.step("blocks of all sizes", () => verify("--rw=randwrite", "--bsrange=512-256k"));
  await t.step("reads in between", () => verify("--rw=randrw", "--bs=4k"));
  await t.step("one after the other", () => verify("--rw=write", "--bs=1m"));
});

deviceTest("writers side by side do not spoil each other's blocks", ["dd", "cmp"], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 32 * MIB);
  await using device = await Device.attach(image);
  const sources = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
    const path = folder.file(`source${seed}`);
    Deno.writeFileSync(path, seededBytes(4 * MIB, seed));
    return path;
  });
  await Promise.all(sources.map((source, index) => {
    const blockBytes = 4 * KIB << (index % 4);
    const seek = index * 4 * MIB / blockBytes;
    const args = [`bs=${blockBytes}`, `seek=${seek}`, "oflag=direct", "conv=notrunc"];
    return must("dd", `if=${source}`, `of=${device.path}`, ...args, "status=none");
  }));
  await must("sh", "-c", `cat ${sources.join(" ")} | cmp - ${device.path}`);
  await device.detach();
  await device.gone();
  await must("sh", "-c", `cat ${sources.join(" ")} | cmp - ${image}`);
});

deviceTest(
  "a write to a read-only device is refused, and the image is as it was",
  ["dd"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, seededBytes(1 * MIB, 1));
    await using device = await Device.attach(image, "-r");
    const args = [`of=${device.path}`, "bs=4k", "count=1", "oflag=direct", "conv=notrunc"];
    const { code } = await run("dd", "if=/dev/zero", ...args);
    assertNotEquals(code, 0);
    assertEquals(Deno.readFileSync(image), seededBytes(1 * MIB, 1));
  },
);

deviceTest("discards and zeroing reach the image exactly", ["blkdiscard", "cmp"], async (t) => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  const expected = seededBytes(8 * MIB, 1);
  Deno.writeFileSync(image, expected);
  await using device = await Device.attach(image);
  const clear = async (offset: number, length: number, ...how: string[]): Promise<void> => {
    await must("blkdiscard", ...how, "-o", `${offset}`, "-l", `${length}`, device.path);
    expected.fill(0, offset, offset + length);
    assertEquals(Deno.readFileSync(image).findIndex((byte, at) => byte !== expected[at]), -1);
    Deno.writeFileSync(folder.file("expected"), expected);
    await must("cmp", folder.file("expected"), device.path);
  };
  await t.step("a range of whole blocks frees space", async () => {
    const before = allocatedBytes(image);
    await clear(1 * MIB, 2 * MIB);
    assertEquals(allocatedBytes(image), before - 2 * MIB);
  });
  await t.step("zeroing a range of odd sectors", () => clear(4 * MIB + 512, 70 * KIB + 512, "-z"));
  await t.step("zeroing a few sectors of one block", () => clear(6 * MIB + 1024, 1024, "-z"));
  await t.step("zeroing up to the end", () => clear(8 * MIB - 512, 512, "-z"));
});

deviceTest("a discard of odd sectors clears nothing beside them", ["blkdiscard"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  const before = seededBytes(1 * MIB, 1);
  Deno.writeFileSync(image, before);
  await using device = await Device.attach(image);
  const [from, to] = [64 * KIB + 512, 200 * KIB + 1536];
  // The kernel may refuse it, shrink it to whole blocks, or do it.
  await run("blkdiscard", "-o", `${from}`, "-l", `${to - from}`, device.path);
  const after = Deno.readFileSync(image);
  assertEquals(after.slice(0, from), before.slice(0, from));
  assertEquals(after.slice(to), before.slice(to));
  assert(after.subarray(from, to).every((byte, at) => byte === 0 || byte === before[from + at]));
});

deviceTest("fsync on the device reaches the image's disk", ["strace", "dd"], async () => {
  using folder = new TempDirectory();
  // Not a file system in memory: there a sync is nothing.
  await using device = await Device.attach(makeSparse(folder.file("disk"), 1 * MIB));
  const trace = folder.file("trace");
  const strace = new Deno.Command("strace", {
    args: ["-f", "-e", "trace=fdatasync,fsync", "-o", trace, "-p", `${device.pid}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await eventually(() => tracerOf(device.pid) !== 0, "strace to attach");
    const write = ["dd", "if=/dev/zero", `of=${device.path}`, "bs=4k", "count=1", "status=none"];
    await must("sh", "-c", `${write.join(" ")} oflag=direct conv=notrunc`);
    assertEquals(syncsIn(trace), 0, "synced without being asked");
    await must("sh", "-c", `${write.join(" ")} conv=notrunc,fsync`);
    await eventually(() => syncsIn(trace) > 0, "a sync");
    assertMatch(Deno.readTextFileSync(trace), /f(data)?sync\(\d+\)\s+= 0/);
  } finally {
    strace.kill("SIGTERM");
    await strace.status;
  }
});

function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

function syncsIn(trace: string): number {
  return Deno.readTextFileSync(trace).split("\n").filter((line) => line.includes("sync(")).length;
}

deviceTest(
  "a full disk under the image fails the writer, and nothing else",
  ["dd", "mount"],
  async () => {
    using folder = new TempDirectory();
    const small = folder.file("small");
    Deno.mkdirSync(small);
    await must("mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", small);
    try {
      Deno.writeFileSync(`${small}/ballast`, new Uint8Array(4 * MIB));
      await using device = await Device.attach(makeSparse(`${small}/disk`, 32 * MIB));
      const fill = (count: number): Promise<{ code: number; stderr: string }> => {
        const args = [
          `of=${device.path}`,
          "bs=1M",
          `count=${count}`,
          "oflag=direct",
          "conv=notrunc",
        ];
        return runPatiently("dd", "if=/dev/urandom", ...args);
      };
      const { code, stderr } = await fill(16);
      assertEquals(code, 1);
      assertMatch(stderr, /No space left on device|Input\/output error/);
      await must("dd", `if=${device.path}`, "of=/dev/null", "bs=1M", "status=none");
      Deno.removeSync(`${small}/ballast`);
      assertEquals((await fill(6)).code, 0);
      await device.detach();
      await device.gone();
    } finally {
      await must("umount", small);
    }
  },
);

deviceTest("-c makes the device as large as its image has become", ["cmp"], async (t) => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, seededBytes(1 * MIB, 1));
  await using device = await Device.attach(image);
  await t.step("larger", async () => {
    Deno.writeFileSync(image, seededBytes(2 * MIB, 2), { append: true });
    await device.program.must("-c", device.path);
    assertEquals(device.sizeBytes, 3 * MIB);
    await must("cmp", image, device.path);
    const args = [`of=${device.path}`, "bs=512", "seek=6143", "count=1", "conv=notrunc,fsync"];
    await must("dd", "if=/dev/zero", ...args, "status=none");
    assertEquals(Deno.statSync(image).size, 3 * MIB);
    await must("cmp", image, device.path);
  });
  await t.step("smaller", async () => {
    Deno.truncateSync(image, 1 * MIB);
    await device.program.must("-c", device.path);
    assertEquals(device.sizeBytes, 1 * MIB);
    await must("cmp", image, device.path);
  });
  await t.step("as large as before", async () => {
    await device.program.must("-c", device.path);
    assertEquals(device.sizeBytes, 1 * MIB);
  });
});

deviceTest("stock losetup -c after the image has grown does no harm", ["cmp"], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 1 * MIB);
  await using device = await Device.attach(image);
  Deno.truncateSync(image, 2 * MIB);
  await must("losetup", "-c", device.path);
  // It cannot know of a size that only the daemon could tell.
  assert([1 * MIB, 2 * MIB].includes(device.sizeBytes), `${device.sizeBytes}`);
  await must("cmp", `--bytes=${device.sizeBytes}`, image, device.path);
});
