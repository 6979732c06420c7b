/**
 * Changes of the same clusters by many clients at once, some of which have to wait for a disk or for a
 * decompressed cluster while others go on.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Random, randomOp, stampedBytes } from "../format/qcow/write/random_ops.ts";
import { ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";
import { SectorHistory } from "./sector_history.ts";

const KIB = 1024;
const SIZE = 2048 * KIB;
const CLIENTS = 12;
const ROUNDS = 8;
const OPS_EACH = 8;

interface Scene {
  readonly name: string;
  readonly clusterBytes: number;
  /** Makes the image, of a raw file with the same contents. */
  readonly make: (image: string, raw: string) => Promise<unknown>;
}

const CREATE = ["create", "-q", "-f", "qcow2"] as const;
const CONVERT = ["convert", "-f", "raw", "-O", "qcow2"] as const;

const SCENES: readonly Scene[] = [
  {
    name: "over a backing file",
    clusterBytes: 64 * KIB,
    make: (image, raw) => must("qemu-img", ...CREATE, "-b", raw, "-F", "raw", image),
  },
  {
    name: "over a backing file, with subclusters",
    clusterBytes: 64 * KIB,
    make: (image, raw) =>
      must("qemu-img", ...CREATE, "-o", "extended_l2=on", "-b", raw, "-F", "raw", image),
  },
  {
    name: "over compressed clusters",
    clusterBytes: 64 * KIB,
    make: (image, raw) => must("qemu-img", ...CONVERT, "-c", raw, image),
  },
  {
    name: "after a snapshot, small clusters",
    clusterBytes: 4 * KIB,
    make: async (image, raw) => {
      await must("qemu-img", ...CONVERT, "-o", "cluster_size=4k", raw, image);
      await must("qemu-img", "snapshot", "-q", "-c", "before", image);
    },
  },
  {
    name: "of clusters that are used already",
    clusterBytes: 64 * KIB,
    make: (image, raw) => must("qemu-img", ...CONVERT, raw, image),
  },
];

for (const scene of SCENES) {
  oracleTest(
    `W3: changes and reads at once leave and show nothing of another place ${scene.name}`,
    ["qemu-img", "dd", "sync"],
    async () => {
      using folder = new TempDirectory();
      const [image, raw] = [folder.file("image.qcow2"), folder.file("raw")];
      Deno.writeFileSync(raw, stampedBytes(0, SIZE, 0));
      await must("sync", raw);
      await scene.make(image, raw);
      await must("sync", image);
      const history = new SectorHistory(SIZE);
      await using exported = await ExportedImage.attach({ folder, image, options: ["-t", "QCOW"] });
      for (let round = 0; round < ROUNDS; round++) {
        for (const path of [raw, image]) await chill(path);
        await changeAtOnce(exported.socket, history, { ...scene, round });
        history.endRound();
      }
      await exported.detach();
      const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", image);
      assertEquals(code, 0, stdout);
      const copy = folder.file("copy");
      await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, copy);
      history.check(0, Deno.readFileSync(copy));
    },
  );
}

/** Drives a file out of the page cache (GNU dd: a count of 0 with `nocache` means all of it). */
async function chill(path: string): Promise<void> {
  await must("dd", `if=${path}`, "iflag=nocache", "count=0", "status=none");
}

/** Has every client make changes, each followed by a read, all clients at once. */
async function changeAtOnce(
  socket: string,
  history: SectorHistory,
  { clusterBytes, round }: Pick<Scene, "clusterBytes"> & { readonly round: number },
): Promise<void> {
  const limits = { sizeBytes: SIZE, mostBytes: 3 * clusterBytes, unitBytes: clusterBytes };
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    using client = await NbdClient.connect(socket);
    const number = round * CLIENTS + index;
    const random = new Random(number + 1);
    for (let n = 0; n < OPS_EACH; n++) {
      const id = 1 + number * OPS_EACH + n;
      const op = randomOp(random, limits, id);
      history.begin(op, id);
      await client.change(op);
      const offset = 512 * random.below(SIZE / 512 - 64);
      history.check(offset, await client.read(offset, 64 * 512));
    }
  });
  await Promise.all(clients);
}
