// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { seededBytes } from "../../nbd/served_image.ts";
import { eventually, Waiting } from "../../support/patience.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, KIB, makeSparse, MIB } from "./device.ts";

/** System calls that each worker thread of the daemon has made to read something. */
function readsOfWorkers({ pid }: Device): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)]
    .map(({ name }) => `/proc/${pid}/task/${name}`)
    .filter((task) => textOf(`${task}/comm`).startsWith("worker-"))
    .map((task) => Number(/^syscr: (\d+)$/m.exec(textOf(`${task}/io`))?.[1]));
}

/** Nothing of a thread that has ended meanwhile. */
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** A compressed image, and the raw one it was made of. */
async function makeCompressed(
  folder: TempDirectory,
  sizeBytes = 8 * MIB,
): Promise<{ qcow: string; raw: string }> {
  const [qcow, raw] = [folder.file("disk.qcow2"), folder.file("disk")];
  const content = new Uint8Array(sizeBytes);
  // Half of each cluster is easy to compress, and no two clusters are alike.
  for (let at = 0, seed = 1; at < content.length; at += 64 * KIB, seed++) {
    content.set(seededBytes(32 * KIB, seed), at);
  }
  Deno.writeFileSync(raw, content);
  await must("qemu-img", "convert", "-c", "-O", "qcow2", raw, qcow);
  return { qcow, raw };
}

/** Direct reads of the whole device by several readers at once, each compared with `raw`. */
async function readByMany(device: Device, raw: string): Promise<void> {
  const copy = (blockBytes: number): Promise<string> => {
    const dd = `dd if=${device.path} bs=${blockBytes} iflag=direct status=none`;
    return must("sh", "-c", `${dd} | cmp - ${raw}`);
  };
  await Promise.all([16 * KIB, 32 * KIB, 64 * KIB, 256 * KIB].map(copy));
}

deviceTest(
  "--threads 3 has three threads share the requests, and all data are right",
  ["qemu-img", "dd", "cmp"],
  async () => {
    using folder = new TempDirectory();
    const { qcow, raw } = await makeCompressed(folder);
    await using device = await Device.attach(qcow, "-r", "-t", "QCOW", "--threads", "3");
    await eventually(() => readsOfWorkers(device).length === 2, "two more threads");
    const before = readsOfWorkers(device);
    const shares = (): number[] =>
      readsOfWorkers(device).map((count, index) => count - (before[index] ?? 0));
    // On a busy machine one thread may be faster than the others can wake up.
    for (const patience = new Waiting("all threads to get reads"); Math.min(...shares()) < 10;) {
      await readByMany(device, raw);
      patience.goOn();
    }
    await device.detach();
    await device.gone();
  },
);

deviceTest("--threads 1 starts no other thread whatever the load", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const { qcow, raw } = await makeCompressed(folder);
  await using device = await Device.attach(qcow, "-r", "-t", "QCOW", "--threads", "1");
  await readByMany(device, raw);
  assertEquals(readsOfWorkers(device), []);
});

deviceTest("several threads write what several writers want written", ["fio"], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(
    makeSparse(folder.file("disk"), 64 * MIB),
    "--threads=3",
  );
  const job = ["--rw=randwrite", "--bsrange=512-128k", "--ioengine=libaio", "--iodepth=16"];
  const split = [
    "--numjobs=3",
    "--size=20m",
    "--offset_increment=20m",
    "--direct=1",
    "--fsync=128",
  ];
  const check = ["--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0"];
  await must("fio", "--name=verify", `--filename=${device.path}`, ...job, ...split, ...check);
  await eventually(() => readsOfWorkers(device).length === 2, "two more threads");
  await device.detach();
  await device.gone();
});

deviceTest(
  "more to do than one thread can gets a second one",
  ["qemu-img", "fio"],
  async () => {
    if (navigator.hardwareConcurrency === 1) return;
    using folder = new TempDirectory();
    const { qcow, raw } = await makeCompressed(folder, 40 * MIB);
    await using device = await Device.attach(qcow, "-r", "-t", "QCOW");
    assertEquals(readsOfWorkers(device), []);
    const job = ["--rw=randread", "--bs=4k", "--ioengine=libaio", "--iodepth=32", "--direct=1"];
    const time = ["--time_based", "--runtime=2", "--norandommap"];
    await must("fio", "--name=load", `--filename=${device.path}`, "--readonly", ...job, ...time);
    const workers = readsOfWorkers(device);
    assert(workers.some((count) => count > 20), `reads by workers: ${workers}`);
    await must("cmp", raw, device.path);
  },
);

deviceTest("after -c every thread knows the new size", ["dd", "cmp"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, seededBytes(1 * MIB, 1));
  await using device = await Device.attach(image, "--threads", "3");
  for (let step = 2; step <= 6; step++) {
    Deno.writeFileSync(image, seededBytes(1 * MIB, step), { append: true });
    await device.program.must("-c", device.path);
    assertEquals(device.sizeBytes, step * MIB);
    await readByMany(device, image);
  }
  Deno.truncateSync(image, 2 * MIB);
  await device.program.must("-c", device.path);
  assertEquals(device.sizeBytes, 2 * MIB);
  await readByMany(device, image);
});
