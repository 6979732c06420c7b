// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { randomNumbers } from "../../support/images.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot, isRunning, statesIn } from "../../support/program.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { listed, nothingBelow, VIEW, View, viewTest } from "./view.ts";

const TOOLS = ["qemu-img", "qemu-io"] as const;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

/** Writes a byte to a range of an image. */
type Range = readonly [offset: number, lengthBytes: number, byte: number];

/** Disks for which a list of all clusters would be too large, of which hardly any is there. */
const LARGE: Readonly<Record<string, { clusterBytes: number; sizeBytes: number }>> = {
  "64 TiB in clusters of 64 KiB": { clusterBytes: 64 * KIB, sizeBytes: 64 * TIB },
  "7 TiB in clusters of 4 KiB": { clusterBytes: 4 * KIB, sizeBytes: 7 * TIB },
  "100 TiB in clusters of 2 MiB": { clusterBytes: 2 * MIB, sizeBytes: 100 * TIB },
};

/** Odd places: at both ends, on both sides of what one device can show, across clusters. */
function rangesOf(sizeBytes: number, clusterBytes: number): Range[] {
  const random = randomNumbers(sizeBytes / TIB);
  const ranges: Range[] = [
    [0, clusterBytes, 1],
    [5 * TIB - clusterBytes - 512, clusterBytes + 1024, 2],
    [sizeBytes - clusterBytes, clusterBytes, 3],
  ];
  if (sizeBytes > 8 * TIB) ranges.push([8 * TIB - 4096, 8192, 4]);
  for (let count = 0; count < 200; count++) {
    const cluster = Math.floor(random() * (sizeBytes / clusterBytes - 1));
    ranges.push([cluster * clusterBytes, 512 + Math.floor(random() * 8) * 512, 5 + count % 200]);
  }
  return ranges;
}

async function makeLarge(
  path: string,
  { sizeBytes, clusterBytes, ranges }: {
    sizeBytes: number;
    clusterBytes: number;
    ranges: readonly Range[];
  },
  ...options: readonly string[]
): Promise<void> {
  const create = ["create", "-q", "-f", "qcow2", "-o", `cluster_size=${clusterBytes}`];
  await must("qemu-img", ...create, ...options, path, `${sizeBytes}`);
  const writes = ranges.flatMap(([offset, lengthBytes, byte]) => [
    "-c",
    `write -P ${byte} ${offset} ${lengthBytes}`,
  ]);
  await must("qemu-io", "-f", "qcow2", ...writes, path);
}

/** That the device has these bytes, and around them what lies there otherwise: zeros, mostly. */
function assertHas(path: string, ranges: readonly Range[], sizeBytes: number): void {
  using device = Deno.openSync(path);
  const byteAt = (offset: number): number =>
    ranges.findLast(([start, length]) => offset >= start && offset < start + length)?.[2] ?? 0;
  for (const [start, length] of ranges) {
    const from = Math.max(0, start - 4096);
    const bytes = new Uint8Array(Math.min(length + 8192, sizeBytes - from));
    device.seekSync(from, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += device.readSync(bytes.subarray(at)) ?? Infinity;
    for (let at = 0; at < bytes.length; at += 512) {
      assertEquals(bytes[at], byteAt(from + at), `at ${from + at}`);
    }
  }
}

for (const [what, { clusterBytes, sizeBytes }] of Object.entries(LARGE)) {
  viewTest(`a view of ${what} finds them on demand`, TOOLS, async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk.qcow2");
    const ranges = rangesOf(sizeBytes, clusterBytes);
    await makeLarge(image, { sizeBytes, clusterBytes, ranges });
    for (const options of [[], ["--direct-io=on"]]) {
      await using view = await View.attach(image, "-t", "QCOW", ...options);
      assertEquals(view.sizeBytes, sizeBytes);
      assertHas(view.path, ranges, sizeBytes);
      const [state] = statesIn(view.program.stateDirectory);
      const row = await listed(view.program, view.path);
      assertEquals(
        [row?.["back-file"], row?.["file-format"], row?.["transport"], row?.["pid"]],
        [image, "QCOW", "view", state?.pid],
      );
      await must("losetup", "-d", view.path);
      await eventually(() => state !== undefined && !isRunning(state.pid), "the daemon to end");
      await nothingBelow();
    }
  });
}

viewTest(
  "a large view has what lies below its image, compressed clusters, too",
  TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [base, image] = [folder.file("base.qcow2"), folder.file("disk.qcow2")];
    const [sizeBytes, clusterBytes] = [40 * TIB, 64 * KIB];
    const random = randomNumbers(3);
    const places = Array.from({ length: 60 }, () => Math.floor(random() * 600) * clusterBytes);
    const below: Range[] = places.map((place, index) => [place, clusterBytes, index + 1]);
    await makeLarge(base, { sizeBytes, clusterBytes, ranges: below });
    await must("qemu-io", "-f", "qcow2", "-c", `write -c -P 99 ${30 * TIB} 64k`, base);
    const above: Range[] = places.slice(0, 20)
      .map((place, index) => [place + 3 * clusterBytes, clusterBytes, index + 100]);
    const on = ["-b", base, "-F", "qcow2"];
    await makeLarge(image, { sizeBytes, clusterBytes, ranges: above }, ...on);
    const compressed: Range = [30 * TIB, clusterBytes, 99];
    for (const directIo of ["on", "off"]) {
      await using view = await View.attach(image, "-t", "QCOW", `--direct-io=${directIo}`);
      assertHas(view.path, [...below, ...above, compressed], sizeBytes);
      // Two files, the metadata, and what is served in parts of 8 TiB.
      assertEquals(view.below.length, 3 + 5);
    }
    await nothingBelow();
  },
);

viewTest("a large view without its daemon has what has been asked for", TOOLS, async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  const [sizeBytes, clusterBytes] = [40 * TIB, 64 * KIB];
  const ranges: Range[] = [[0, clusterBytes, 1], [clusterBytes, clusterBytes, 2]];
  await makeLarge(image, { sizeBytes, clusterBytes, ranges: [...ranges, [30 * TIB, 4096, 3]] });
  await using view = await View.attach(image, "-t", "QCOW", "--no-revive");
  const canRead = async (offset: number): Promise<boolean> => {
    const skip = [`skip=${offset / (64 * KIB)}`, "bs=64K", "count=1", "iflag=direct"];
    const { code, stderr } = await run("dd", `if=${view.path}`, "of=/dev/null", ...skip);
    assert(code === 0 || /Input\/output error/.test(stderr), stderr);
    return code === 0;
  };
  assertEquals(await canRead(0), true);
  const [state] = statesIn(view.program.stateDirectory);
  Deno.kill(state?.pid ?? 0, "SIGKILL");
  await eventually(() => !isRunning(state?.pid ?? 0), "the daemon to end");
  // Where the next cluster is, the kernel has learnt with the first one.
  assertEquals(await canRead(clusterBytes), true);
  assertEquals(await canRead(30 * TIB), false);
  assertEquals((await listed(view.program, view.path))?.["transport"], "view");
  await view.program.must("-d", view.path);
  await nothingBelow();
  await view.program.run("-l");
  assertEquals(statesIn(view.program.stateDirectory), []);
});

const STRACE = ["-qq", "-f", "--trace=pread64,preadv,preadv2", "--decode-fds=path"];

/** An image of 100 GiB whose clusters, all of them there, lie in any order. */
async function makeScattered(path: string): Promise<{ tableBytes: number }> {
  const how = "cluster_size=65536,preallocation=metadata";
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", how, path, `${100 * GIB}`);
  using file = Deno.openSync(path, { read: true, write: true });
  const at = (offset: number, lengthBytes: number): DataView<ArrayBuffer> => {
    const bytes = new Uint8Array(lengthBytes);
    file.seekSync(offset, Deno.SeekMode.Start);
    file.readSync(bytes);
    return new DataView(bytes.buffer);
  };
  const header = at(0, 104);
  const tables = header.getUint32(36);
  const l1 = at(Number(header.getBigUint64(40)), tables * 8);
  const random = randomNumbers(7);
  for (let table = 0; table < tables; table++) {
    const offset = Number(l1.getBigUint64(table * 8) & 0x00fffffffffffe00n);
    const l2 = at(offset, 64 * KIB);
    // Neighbours change places, so that no two of them go on in the file.
    for (let entry = 0; entry + 1 < l2.byteLength / 8; entry += 2) {
      const other = entry + (random() < 0.5 ? 0 : 1);
      const [one, two] = [l2.getBigUint64(entry * 8), l2.getBigUint64(other * 8)];
      l2.setBigUint64(entry * 8, two);
      l2.setBigUint64(other * 8, one);
    }
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(l2.buffer));
  }
  return { tableBytes: tables * 64 * KIB };
}

viewTest(
  "100 GiB are attached by reading no more than the L2 tables",
  [...TOOLS, "strace"],
  async () => {
    using folder = new TempDirectory();
    const [image, log] = [folder.file("disk.qcow2"), folder.file("calls")];
    const { tableBytes } = await makeScattered(image);
    const program = asRoot();
    const words = [...VIEW, "-r", "-t", "QCOW", "--find", "--show", image];
    const { code, stdout } = await run(
      "strace",
      "-o",
      log,
      ...STRACE,
      ...program.command,
      ...words,
    );
    assertEquals(code, 0);
    assertEquals(statesIn(program.stateDirectory), []);
    await must("losetup", "-d", stdout.trim());
    const counts = Deno.readTextFileSync(log).split("\n")
      .filter((line) => line.includes(`<${image}>`))
      .map((line) => Number(/= (\d+)$/.exec(line)?.[1] ?? 0));
    const readBytes = counts.reduce((sum, count) => sum + count, 0);
    assertGreater(readBytes, tableBytes / 2);
    // Header, L1 table, and a reference count here and there.
    assertLessOrEqual(readBytes, tableBytes + 512 * KIB);
    await nothingBelow();
  },
);
