/**
 * How many writes and syncs, and how much written, each kind of change costs: never more than qemu-nbd.
 *
 * Figures are told as names of steps; tests/bench/README.md has those of one run.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import {
  makeOriginal,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { stampedBytes } from "../format/qcow/write/random_ops.ts";
import { QemuNbd } from "../support/qemu_nbd.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../support/tools.ts";
import { type CallCosts, costsOf } from "./call_costs.ts";
import { PipelinedClient } from "./pipelined_client.ts";
import { attach } from "./scenes.ts";

const KIB = 1024;
const CLUSTER = 64 * KIB;
/** So many changes of each kind are made, and one flush after them. */
const COUNT = 32;
const SIZE = 2 * COUNT * CLUSTER;
const TICK_MS = 100;
/** So many syncs at most has each of the rounds that a daemon makes by itself. */
const SYNCS_A_ROUND = 3;

const EMPTY: OriginalRecipe = {
  name: "empty",
  sizeBytes: SIZE,
  options: [`cluster_size=${CLUSTER}`],
};
const FULL: OriginalRecipe = {
  ...EMPTY,
  name: "full",
  commands: [`write -q -P 5 0 ${SIZE}`],
};
const BACKED: OriginalRecipe = {
  ...EMPTY,
  name: "backed",
  backing: { sizeBytes: SIZE, format: "raw" },
};
/** With something of its own at the end, whose entry lies in another sector of the table. */
const PARTLY_BACKED: OriginalRecipe = {
  ...BACKED,
  name: "partly backed",
  sizeBytes: 2 * SIZE,
  commands: [`write -q -P 5 ${2 * SIZE - CLUSTER} ${CLUSTER}`],
};
const COMPRESSED: OriginalRecipe = { ...FULL, name: "compressed", compressed: true };
const SNAPSHOT: OriginalRecipe = { ...FULL, name: "snapshot", afterSnapshot: [] };

type Change = (client: PipelinedClient, offset: number, id: number) => Promise<void>;

interface Kind {
  readonly name: string;
  readonly recipe: OriginalRecipe;
  /** Change number `id`, of the cluster at `offset`. */
  readonly change: Change;
  /** How many flushes are asked for in all, FUA included; 1 if left out. */
  readonly flushes?: number;
}

function write(length: number, isDurable = false): Change {
  return (client, offset, id) =>
    client.change({ kind: "write", offset, bytes: stampedBytes(offset, length, id) }, isDurable);
}

const trim: Change = (client, offset) =>
  client.change({ kind: "discard", offset, length: CLUSTER });

const KINDS: readonly Kind[] = [
  { name: "overwrite 4 KiB", recipe: FULL, change: write(4 * KIB) },
  { name: "allocate 4 KiB", recipe: EMPTY, change: write(4 * KIB) },
  { name: "allocate 64 KiB", recipe: EMPTY, change: write(CLUSTER) },
  {
    name: "allocate 4 KiB, then flush",
    recipe: EMPTY,
    change: async (client, offset, id) => {
      await write(4 * KIB)(client, offset, id);
      await client.change({ kind: "flush" });
    },
    flushes: COUNT,
  },
  { name: "allocate 4 KiB, FUA", recipe: EMPTY, change: write(4 * KIB, true), flushes: COUNT },
  { name: "overwrite 4 KiB, FUA", recipe: FULL, change: write(4 * KIB, true), flushes: COUNT },
  {
    name: "4 KiB over a raw file; overwrite 4 KiB, FUA",
    recipe: PARTLY_BACKED,
    change: async (client, offset, id) => {
      await write(4 * KIB)(client, offset, id);
      await write(4 * KIB, true)(client, 2 * SIZE - CLUSTER, id);
    },
    // The one at the end has two levels to write.
    flushes: COUNT + 1,
  },
  { name: "4 KiB over a raw file", recipe: BACKED, change: write(4 * KIB) },
  { name: "4 KiB over a compressed cluster", recipe: COMPRESSED, change: write(4 * KIB) },
  { name: "64 KiB over a compressed cluster", recipe: COMPRESSED, change: write(CLUSTER) },
  { name: "4 KiB after a snapshot", recipe: SNAPSHOT, change: write(4 * KIB) },
  { name: "trim 64 KiB", recipe: FULL, change: trim },
  {
    name: "write zeroes 64 KiB",
    recipe: FULL,
    change: (client, offset) =>
      client.change({ kind: "zeros", offset, length: CLUSTER, keep: false }),
  },
  {
    name: "trim, then write 64 KiB",
    recipe: FULL,
    change: async (client, offset, id) => {
      await trim(client, offset, id);
      await write(CLUSTER)(client, offset, id);
    },
  },
];

interface Measured {
  readonly costs: CallCosts;
  readonly tookMs: number;
}

/** Makes all changes of a kind; a first one has been made before. */
async function measure(
  { change }: Kind,
  { socket, pid, folder }: {
    readonly socket: string;
    readonly pid: number;
    readonly folder: TempDirectory;
  },
): Promise<Measured> {
  await using client = await PipelinedClient.connect(socket);
  await change(client, 0, 1);
  await client.change({ kind: "flush" });
  let tookMs = 0;
  const costs = await costsOf(pid, folder, async () => {
    const startMs = performance.now();
    for (let n = 1; n <= COUNT; n++) await change(client, n * CLUSTER, n + 1);
    await client.change({ kind: "flush" });
    tookMs = performance.now() - startMs;
  });
  return { costs, tookMs };
}

async function ours(kind: Kind): Promise<Measured> {
  using folder = new TempDirectory(memoryFolder());
  const original = await makeOriginal(folder.path, kind.recipe);
  await using exported = await attach(original, folder);
  const { socket, pid } = exported;
  const measured = await measure(kind, { socket, pid, folder });
  await exported.detach();
  return measured;
}

async function qemu(kind: Kind): Promise<Measured> {
  using folder = new TempDirectory(memoryFolder());
  const { path } = await makeOriginal(folder.path, kind.recipe);
  const options = ["--discard=unmap", "--format=qcow2"];
  await using server = await QemuNbd.start(folder, path, ...options);
  return await measure(kind, { socket: folder.file("qemu-nbd"), pid: server.pid, folder });
}

function told({ writes, writtenBytes, syncs, allocations }: CallCosts): string {
  const each = (value: number): string => (value / COUNT).toFixed(2);
  return [each(writes), each(writtenBytes / KIB), each(syncs), each(allocations)].join(" | ");
}

for (const kind of KINDS) {
  oracleTest(
    `no more writes and syncs than qemu-nbd's: ${kind.name}`,
    [...ORIGINAL_TOOLS, "strace", "qemu-nbd"],
    async (t) => {
      const [mine, theirs] = [await ours(kind), await qemu(kind)];
      await t.step(`| ${kind.name} | ${told(mine.costs)} | ${told(theirs.costs)} |`, () => {});
      const { syncs, writes, writtenBytes } = mine.costs;
      // A slow machine leaves time for rounds that nobody asked for.
      const own = SYNCS_A_ROUND * Math.floor(mine.tookMs / TICK_MS);
      const { flushes = 1 } = kind;
      // One each, but where levels have to be there one after the other.
      assert(syncs <= flushes + 1 + own, `${syncs} syncs`);
      assert(syncs <= theirs.costs.syncs + own, `${syncs} syncs`);
      assert(writtenBytes <= theirs.costs.writtenBytes + own * CLUSTER, `${writtenBytes} bytes`);
      // Entries of 8 bytes are written at once, which is why kills cost so little.
      assert(writes <= theirs.costs.writes + COUNT + 4 * own, `${writes} writes`);
    },
  );
}
