// @ts-types="../../support/std_assert.d.ts"
import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { seededBytes } from "../../nbd/served_image.ts";
import { becomesIdle, eventually, pause } from "../../support/patience.ts";
import { asRoot, exists, isRunning, statesIn } from "../../support/program.ts";
import { must, run, runPatiently, TempDirectory } from "../../support/tools.ts";
import {
  checksums,
  Device,
  deviceTest,
  freeDevices,
  FUSE,
  isAttached,
  KIB,
  makeFileSystem,
  makeSparse,
  MIB,
  ownCommand,
  stockColumns,
} from "./device.ts";

/** Of traffic that a daemon may take to get all the memory it needs for it, and what counts as none. */
const MAX_LOADS = 8;
const SETTLED_BYTES = 4 * MIB;
const FILE_SYSTEM_TOOLS = ["mkfs.ext4", "qemu-img", "mount"] as const;

/** Ways to have a mounted device go with its last user. */
const LAZY_WAYS: Readonly<Record<string, (device: Device) => Promise<unknown>>> = {
  "-d": (device) => device.detach(),
  "stock losetup -d": (device) => must("losetup", "-d", device.path),
  "SIGTERM": async (device) => {
    device.kill("SIGTERM");
    await eventually(() => device.attribute("loop/autoclear") === "1", "the device to be leaving");
  },
};

for (const [name, leave] of Object.entries(LAZY_WAYS)) {
  deviceTest(
    `${name} on a mounted device lets it be used on, and it goes with umount`,
    FILE_SYSTEM_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const { tree, qcow } = await makeFileSystem(folder);
      await using device = await Device.attach(qcow, "-r", "-t", "QCOW");
      await device.mount(folder.file("mnt"), "-o", "ro");
      await leave(device);
      assert(device.isRunning && device.isAttached);
      assertEquals(await stockColumns(device.path, "AUTOCLEAR"), ["1"]);
      await must("sh", "-c", "echo 3 > /proc/sys/vm/drop_caches");
      assertEquals(await checksums(folder.file("mnt")), await checksums(tree));
      await device.unmount(folder.file("mnt"));
      await device.gone();
    },
  );
}

deviceTest(
  "-d waits a moment for a mount that another namespace has still",
  ["mkfs.ext4", "mount", "unshare"],
  async () => {
    using folder = new TempDirectory();
    await using device = await Device.attach(makeSparse(folder.file("disk"), 16 * MIB));
    await must("mkfs.ext4", "-q", device.path);
    await device.mount(folder.file("mnt"));
    const copied = folder.file("copied");
    const script =
      `touch ${copied} && while [ ! -e ${copied}.end ]; do sleep 0.01; done; sleep 0.2`;
    const copy = run("unshare", "--mount", "--propagation", "private", "sh", "-c", script);
    await eventually(() => exists(copied), "a namespace with a copy of the mount");
    await device.unmount(folder.file("mnt"));
    Deno.writeTextFileSync(`${copied}.end`, "");
    await device.detach();
    assert(!device.isRunning);
    await copy;
  },
);

deviceTest(
  "writes to a mounted device that is leaving are kept",
  ["mkfs.ext4", "mount"],
  async () => {
    using folder = new TempDirectory();
    const image = makeSparse(folder.file("disk"), 16 * MIB);
    const content = seededBytes(2 * MIB, 4);
    {
      await using device = await Device.attach(image);
      await must("mkfs.ext4", "-q", device.path);
      await device.mount(folder.file("mnt"));
      await device.detach();
      Deno.writeFileSync(`${folder.file("mnt")}/file`, content);
      await device.unmount(folder.file("mnt"));
      await device.gone();
    }
    await must("e2fsck", "-f", "-n", image);
    await using device = await Device.attach(image, "-r");
    await device.mount(folder.file("mnt"), "-o", "ro,noload");
    assertEquals(Deno.readFileSync(`${folder.file("mnt")}/file`), content);
  },
);

deviceTest(
  "a killed daemon fails what is under way; -l tells and -d cleans up",
  ["fio"],
  async () => {
    using folder = new TempDirectory();
    await using device = await Device.attach(
      makeSparse(folder.file("disk"), 64 * MIB),
      "--no-revive",
    );
    const fio = runPatiently(
      "fio",
      "--name=load",
      `--filename=${device.path}`,
      "--rw=randrw",
      "--bs=4k",
      "--ioengine=libaio",
      "--iodepth=32",
      "--direct=1",
      "--time_based",
      "--runtime=3600",
    );
    await eventually(() => device.inFlight > 0, "requests");
    await pause(300);
    device.kill("SIGKILL");
    const { code, stderr, stdout } = await fio;
    assertNotEquals(code, 0);
    assertMatch(stderr + stdout, /Input\/output error/);
    assertEquals(device.inFlight, 0);
    const { stdout: rows, stderr: warning } = await device.program.run(
      "-O",
      "NAME,PID",
      device.path,
    );
    assertMatch(rows, new RegExp(`^${device.path} +-$`, "m"));
    assertStringIncludes(warning, `tslosetup -d ${device.path}`);
    await device.detach();
    await device.gone();
  },
);

deviceTest(
  "a daemon killed below a mount is cleaned up with umount",
  FILE_SYSTEM_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const { qcow } = await makeFileSystem(folder);
    await using device = await Device.attach(qcow, "-r", "-t", "QCOW", "--no-revive");
    await device.mount(folder.file("mnt"), "-o", "ro");
    device.kill("SIGKILL");
    await eventually(() => !device.isRunning, "the daemon to be gone");
    await must("sh", "-c", "echo 3 > /proc/sys/vm/drop_caches");
    const { code } = await runPatiently("sh", "-c", `cat ${folder.file("mnt")}/*/*`);
    assertEquals(code, 1);
    await device.detach();
    const dead = new RegExp(`^${device.path} +-$`, "m");
    assertMatch((await device.program.run("-n", "-O", "NAME,PID", device.path)).stdout, dead);
    await device.unmount(folder.file("mnt"));
    // Its state is cleared away with the next look.
    assertEquals((await device.program.run("-l", "-n", "-O", "NAME,PID")).stdout.match(dead), null);
    await device.gone();
  },
);

deviceTest("all free devices at once, each with its own image", ["cmp"], async () => {
  using folder = new TempDirectory();
  const wanted = Math.min(8, Math.max(1, freeDevices()));
  await using devices = new AsyncDisposableStack();
  const attached: Device[] = [];
  for (let number = 0; number < wanted; number++) {
    const image = folder.file(`disk${number}`);
    Deno.writeFileSync(image, seededBytes(1 * MIB, number));
    attached.push(devices.use(await Device.attach(image)));
  }
  assertEquals(new Set(attached.map(({ path }) => path)).size, wanted);
  await Promise.all(attached.map(({ image, path }) => must("cmp", image, path)));
  const rows = await asRoot().must("-O", "NAME,PID");
  for (const { path, pid } of attached) {
    assertMatch(rows, new RegExp(`^${path} +${pid}$`, "m"));
  }
  await Promise.all(attached.map((device) => device.detach()));
  for (const device of attached) await device.gone();
});

deviceTest("20 cycles in a row leave nothing", ["cmp"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, seededBytes(256 * KIB, 1));
  for (let cycle = 0; cycle < 20; cycle++) {
    await using device = await Device.attach(image, ...(cycle % 2 ? ["-r"] : []));
    await must("cmp", image, device.path);
    await device.detach();
    assertFalse(device.isRunning || device.isAttached || device.hasState, `cycle ${cycle}`);
  }
});

deviceTest(
  "attaching and detaching by several commands at once gives each its own",
  ["cmp"],
  async () => {
    using folder = new TempDirectory();
    for (let round = 0; round < 2; round++) {
      await Promise.all([1, 2, 3, 4, 5].map(async (number) => {
        const image = folder.file(`disk${number}`);
        Deno.writeFileSync(image, seededBytes(256 * KIB, number));
        await using device = await Device.attach(image);
        await must("cmp", image, device.path);
        await device.detach();
        await device.gone();
      }));
    }
  },
);

deviceTest(
  "a device that is taken is refused, and its user is not disturbed",
  ["cmp"],
  async () => {
    using folder = new TempDirectory();
    const [first, second] = [folder.file("first"), folder.file("second")];
    Deno.writeFileSync(first, seededBytes(64 * KIB, 1));
    Deno.writeFileSync(second, seededBytes(64 * KIB, 2));
    await using device = await Device.attach(first);
    const program = asRoot();
    const { code, stderr } = await program.run("--transport", "fuse", device.path, second);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "Device or resource busy");
    assertEquals(program.processes(), []);
    await must("cmp", first, device.path);
  },
);

deviceTest("the same image is not attached twice for writing", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 64 * KIB);
  await using _device = await Device.attach(image);
  const program = asRoot();
  const { code, stdout } = await program.run("--transport", "fuse", "-f", "--show", image);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(program.processes(), []);
});

/** The daemon's memory; what the kernel keeps for the image is not its own. */
function residentBytes({ pid }: Device): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(status)?.[1] ?? NaN) * KIB;
}

deviceTest("heavy traffic does not make the daemon grow", ["fio"], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), 64 * MIB));
  const load = async (): Promise<void> => {
    const how = ["--ioengine=libaio", "--iodepth=32", "--direct=1", "--time_based", "--runtime=2"];
    const job = ["--rw=randrw", "--bsrange=4k-1m", `--filename=${device.path}`];
    await must("fio", "--name=load", ...job, ...how);
  };
  // It has what it needs after a while, which is longer where the processors have other work, too.
  let grownBytes = Infinity;
  for (let loads = 0; loads < MAX_LOADS && grownBytes > SETTLED_BYTES; loads++) {
    const before = residentBytes(device);
    assertGreaterOrEqual(before, 1);
    await load();
    grownBytes = residentBytes(device) - before;
  }
  assertLessOrEqual(grownBytes, SETTLED_BYTES);
  assertLess(residentBytes(device), 256 * MIB);
});

deviceTest("an idle daemon uses no processor time", [], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(makeSparse(folder.file("disk"), 1 * MIB));
  await must("dd", `if=${device.path}`, "of=/dev/null", "bs=4k", "iflag=direct", "status=none");
  await becomesIdle(device.pid);
});

deviceTest("-v says which transport was taken, and why", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), 64 * KIB);
  const { code, stdout, stderr } = await asRoot().run("-v", "-r", "-f", "--show", image);
  try {
    assertEquals(code, 0);
    assertMatch(stderr, /transport (fuse|nbd|loop): \S/);
  } finally {
    await asRoot().run("-d", stdout.trim());
  }
  assertFalse(isAttached(stdout.trim()));
});

/** A device whose daemon was killed and that a stock losetup has given to `image` since. */
async function reused(device: Device, image: string): Promise<void> {
  device.kill("SIGKILL");
  await eventually(() => !device.isRunning, "the daemon to be gone");
  await must("losetup", "-d", device.path);
  await must("losetup", device.path, image);
}

deviceTest(
  "a device that stock losetup has reused for the same image is no dead one",
  [],
  async () => {
    using folder = new TempDirectory();
    await using device = await Device.attach(
      makeSparse(folder.file("disk"), 64 * KIB),
      "--no-revive",
    );
    try {
      await reused(device, device.image);
      const { stdout, stderr } = await device.program.run("-nO", "PID", device.path);
      assertEquals([stdout.trim(), stderr], ["-", ""]);
    } finally {
      await run("losetup", "-d", device.path);
    }
  },
);

deviceTest("-d on a device that stock losetup has reused detaches it, or fails", [], async () => {
  using folder = new TempDirectory();
  await using device = await Device.attach(
    makeSparse(folder.file("disk"), 64 * KIB),
    "--no-revive",
  );
  try {
    await reused(device, makeSparse(folder.file("other"), 64 * KIB));
    const { code } = await device.program.run("-d", device.path);
    assertEquals(code === 0, !isAttached(device.path), `exit code ${code}`);
  } finally {
    await run("losetup", "-d", device.path);
  }
});

/** A kernel without the system calls for detached mounts. */
const OLD_KERNEL = "strace -qq -o /dev/null -e inject=fsopen:error=ENOSYS";

deviceTest(
  "before kernel 5.2 it mounts for a moment, and leaves no mount",
  ["strace", "cmp", "unshare"],
  async () => {
    using folder = new TempDirectory();
    const [image, states] = [folder.file("disk"), folder.file("states")];
    Deno.writeFileSync(image, seededBytes(256 * KIB, 1));
    Deno.mkdirSync(states, { mode: 0o700 });
    const attach = [OLD_KERNEL, ...ownCommand(), ...FUSE, "-r", "-f", "--show", image].join(" ");
    const script = `mkdir -p /run/tslosetup && mount --bind ${states} /run/tslosetup && ${attach}`;
    const path = (await must("unshare", "--mount", "sh", "-c", script)).trim();
    try {
      await must("cmp", image, path);
      const [state] = statesIn(states);
      assert(state !== undefined);
      assertFalse(Deno.readTextFileSync(`/proc/${state.pid}/mountinfo`).includes("fuse.tslosetup"));
      assertFalse([...Deno.readDirSync("/tmp")].some(({ name }) => name.startsWith(".tslosetup-")));
      await must("losetup", "-d", path);
      await eventually(() => !isRunning(state.pid), "the daemon to be gone");
      assertEquals(statesIn(states), []);
    } finally {
      if (isAttached(path)) await run("losetup", "-d", path);
    }
  },
);
