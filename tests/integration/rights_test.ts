/**
 * What daemons give up before they serve, as the kernel tells of each of their threads.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { seededBytes } from "../nbd/served_image.ts";
import { eventually } from "../support/patience.ts";
import { exists, ExportedImage, Nobody, statesIn } from "../support/program.ts";
import { keptCapabilities, NONE, rightsOf } from "../support/rights.ts";
import { must, oracleTest, rootTest, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const CLUSTER = 65536;
const CLUSTERS = 256;
const DAC_OVERRIDE = 1n << 1n;

/** Clients that have several threads serve, and others decompress. */
async function keepBusy(socket: string): Promise<void> {
  const clients = await Promise.all([1, 2, 3].map(() => NbdClient.connect(socket)));
  try {
    const offsets = Array.from({ length: CLUSTERS }, (_, n) => n * CLUSTER);
    for (let round = 0; round < 3; round++) {
      await Promise.all(clients.map((client) => client.readMany(offsets, CLUSTER)));
    }
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

oracleTest("no thread of a daemon that serves has any rights left", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const [raw, image] = [folder.file("disk"), folder.file("disk.qcow2")];
  Deno.writeFileSync(raw, seededBytes(CLUSTERS * CLUSTER, 1).map((byte) => byte & 15));
  await must("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image);
  const options = ["-r", "-t", "QCOW", "--threads", "4"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  const kept = keptCapabilities({ isSocket: true });
  const before = rightsOf(exported.pid, kept);
  assertEquals(before, before.map(() => NONE));
  await keepBusy(exported.socket);
  const after = rightsOf(exported.pid, kept);
  assertGreater(after.length, before.length);
  assertEquals(after, after.map(() => NONE));
  await exported.detach();
  assert(exported.isGone);
});

rootTest("root's socket in a user's folder is removed at its end", [], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(CLUSTER));
  Deno.chmodSync(folder.path, 0o700);
  Deno.chownSync(folder.path, 65534, 65534);
  await using exported = await ExportedImage.attach({ folder, image });
  const kept = keptCapabilities({ isSocket: true });
  const [main] = rightsOf(exported.pid, kept);
  assertEquals(main, { ...NONE, capabilities: DAC_OVERRIDE });
  Deno.kill(exported.pid, "SIGTERM");
  await eventually(() => !exists(exported.socket), "the socket is gone");
  await exported.ended();
});

rootTest("a user's daemon cannot get any rights", ["setpriv"], async () => {
  using nobody = new Nobody();
  const image = nobody.write("disk", new Uint8Array(CLUSTER));
  const socket = `${nobody.home}/socket`;
  await nobody.program.must("--socket", socket, image);
  const [state] = statesIn(nobody.program.stateDirectory);
  const rights = rightsOf(state?.pid ?? -1);
  await nobody.program.must("-d", socket);
  assertEquals(rights, rights.map(() => NONE));
});
