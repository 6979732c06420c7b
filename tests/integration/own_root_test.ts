// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { damagedImage, PER_TABLE } from "../support/damaged.ts";
import { logTest } from "../support/log_socket.ts";
import {
  asRoot,
  asRootElsewhere,
  bindStates,
  exists,
  ExportedImage,
  isCompiled,
  type Surroundings,
} from "../support/program.ts";
import { eventually } from "../support/patience.ts";
import { lackOfRights, must, oracleTest, TempDirectory, testIfPossible } from "../support/tools.ts";
import { NbdClient, NbdFailure } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const QCOW = ["-r", "-t", "QCOW"];

/** Why a daemon has no root of its own here, if so. */
const missing = lackOfRights() ?? (isCompiled ? undefined : "not compiled");

/** What an initramfs does: the new root takes /dev, /proc and /run along, and covers the old one. */
function switchRoot(newRoot: string): string {
  const folders = ["dev", "proc", "run"];
  return [
    `mkdir -p ${newRoot}`,
    `mount -t tmpfs tmpfs ${newRoot}`,
    ...folders.map((name) => `mkdir ${newRoot}/${name}`),
    ...folders.map((name) => `mount --move /${name} ${newRoot}/${name}`),
    `cd ${newRoot}`,
    "mount --move . /",
  ].join(" && ");
}

/** The program, in a mount namespace that changes once it has done its work. */
function losing(script: string): Surroundings {
  const ownRun = "mount -t tmpfs tmpfs /run";
  const enter = `${ownRun} && ${bindStates()} && "$@" && { ${script}; }`;
  return asRootElsewhere(["unshare", "--mount", "sh", "-c", enter, "sh"]);
}

/** An image with a different byte in each MiB, and compressed. */
async function compressedImage(folder: TempDirectory): Promise<string> {
  const [raw, path] = [folder.file("disk"), folder.file("disk.qcow2")];
  Deno.writeFileSync(raw, Uint8Array.from({ length: 8 * MIB }, (_, at) => at / MIB + 1));
  await must("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, path);
  return path;
}

/** Several clients at a time: each one but the first has a thread started. */
async function readByMany(socket: string): Promise<void> {
  const clients = await Promise.all([1, 2, 3].map(() => NbdClient.connect(socket)));
  try {
    for (let round = 0; round < 8; round++) {
      const offset = round * MIB;
      const parts = await Promise.all(clients.map((client) => client.read(offset, MIB)));
      const expected = new Uint8Array(MIB).fill(round + 1);
      for (const part of parts) assert(sameBytes(part, expected));
    }
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

testIfPossible({
  name:
    "what glibc asks for is there in a daemon's own root, for errno says nothing else meanwhile",
  obstacle: missing,
  fn: async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    await using exported = await ExportedImage.attach({ folder, image, as: asRoot() });
    const policy = "/proc/sys/vm/overcommit_memory";
    const root = `/proc/${exported.pid}/root`;
    assertEquals(
      Deno.readTextFileSync(`${root}${policy}`).trim(),
      Deno.readTextFileSync(policy).trim(),
    );
  },
});

const LOSSES: Readonly<Record<string, (folder: TempDirectory) => string>> = {
  "/proc is unmounted": () => "umount --lazy /proc",
  "the system moves to another root": (folder) => switchRoot(folder.file("root")),
};

for (const [loss, script] of Object.entries(LOSSES)) {
  const name = `a daemon goes on when ${loss}`;
  if (missing !== undefined) {
    testIfPossible({ name, obstacle: missing, fn: () => {} });
    continue;
  }
  oracleTest(`${name}: threads, and its end`, ["qemu-img", "unshare"], async () => {
    using folder = new TempDirectory();
    const image = await compressedImage(folder);
    const options = [...QCOW, "--threads", "3"];
    const as = losing(script(folder));
    await using exported = await ExportedImage.attach({ folder, image, options, as });
    await readByMany(exported.socket);
    await asRoot().must("-d", exported.socket);
    assert(exported.isGone);
  });

  oracleTest(`${name}: the size of its image`, ["unshare"], async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    await using exported = await ExportedImage.attach({
      folder,
      image,
      as: losing(script(folder)),
    });
    Deno.truncateSync(image, 2 * MIB);
    await asRoot().must("-c", exported.socket);
    using client = await NbdClient.connect(exported.socket);
    assertEquals(await client.read(2 * MIB - 512, 512), new Uint8Array(512));
    Deno.kill(exported.pid, "SIGTERM");
    await eventually(() => !exists(exported.socket), "the socket is gone");
  });

  logTest(`${name}: its log`, ["qemu-img", "qemu-io", "unshare"], async (log) => {
    using folder = new TempDirectory();
    const image = await damagedImage(folder);
    const as = losing(script(folder));
    await using exported = await ExportedImage.attach({ folder, image, options: QCOW, as });
    using client = await NbdClient.connect(exported.socket);
    const failure = await client.read(PER_TABLE, 512).catch((error) => error);
    assertInstanceOf(failure, NbdFailure);
    assertEquals(log.lines().filter((line) => line.includes(image)).length, 1);
  });
}
