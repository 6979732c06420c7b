// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { randomNumbers } from "../support/images.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 24 * MIB;
const CLUSTER = 65536;
const MAX_PASSES = 20;

/** Bytes of which each cluster can be compressed, and differs from all others. */
function compressibleDisk(): Uint8Array {
  const random = randomNumbers(31);
  return Uint8Array.from({ length: DISK_BYTES }, (_, at) => (at >>> 16) + Math.floor(random() * 6));
}

async function compressedImage(folder: TempDirectory, method: string): Promise<string> {
  const [disk, image] = [folder.file("disk.raw"), folder.file(`${method}.qcow2`)];
  const how = ["-c", "-o", `compression_type=${method},cluster_size=${CLUSTER}`];
  await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", ...how, disk, image);
  return image;
}

/** Whether the daemon has threads beside those of the runtime. */
function hasWorker(pid: number): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].some(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`).startsWith("worker-");
    } catch {
      return false; // it has just ended
    }
  });
}

for (const method of ["zlib", "zstd"]) {
  oracleTest(
    `tslosetup decompresses ${method} in further threads when there is much to do`,
    ["qemu-img", "nbdcopy"],
    async () => {
      using folder = new TempDirectory();
      const disk = compressibleDisk();
      Deno.writeFileSync(folder.file("disk.raw"), disk);
      const image = await compressedImage(folder, method);
      const options = ["-r", "-t", "QCOW", "--threads", "2"];
      await using exported = await ExportedImage.attach({ folder, image, options });
      const copy = folder.file("copy");
      for (let pass = 0; pass === 0 || !hasWorker(exported.pid); pass++) {
        assert(pass < MAX_PASSES, "no thread was started");
        const how = ["--connections=1", "--requests=64", "--request-size=131072"];
        await mustSoon("nbdcopy", ...how, exported.uri, copy);
        assert(sameBytes(Deno.readFileSync(copy), disk));
      }
      // now that there is one
      await mustSoon("nbdcopy", "--connections=1", "--requests=64", exported.uri, copy);
      assert(sameBytes(Deno.readFileSync(copy), disk));
    },
  );
}

oracleTest(
  "tslosetup has another thread decompress what somebody who reads on will come to",
  ["qemu-img", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const disk = compressibleDisk();
    Deno.writeFileSync(folder.file("disk.raw"), disk);
    const image = await compressedImage(folder, "zlib");
    const options = ["-r", "-t", "QCOW", "--threads", "2"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    const copy = folder.file("copy");
    const how = ["--synchronous", "--connections=1", "--requests=1", "--request-size=16384"];
    for (let pass = 0; pass === 0 || !hasWorker(exported.pid); pass++) {
      assert(pass < MAX_PASSES, "no thread was started");
      await mustSoon("nbdcopy", ...how, exported.uri, copy);
      assert(sameBytes(Deno.readFileSync(copy), disk));
    }
    await mustSoon("nbdcopy", ...how, exported.uri, copy);
    assert(sameBytes(Deno.readFileSync(copy), disk));
  },
);

oracleTest(
  "a damaged cluster fails the reads of it, whoever decompresses it, and no others",
  ["qemu-img", "qemu-io"],
  async () => {
    using folder = new TempDirectory();
    Deno.writeFileSync(folder.file("disk.raw"), compressibleDisk());
    const image = await compressedImage(folder, "zlib");
    const damaged = 200;
    await damageCluster(image, damaged);
    const options = ["-r", "-t", "QCOW", "--threads", "2"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    const reads = Array.from({ length: DISK_BYTES / CLUSTER }, (_, cluster) => [
      "-c",
      `aio_read -q ${cluster * CLUSTER} ${CLUSTER}`,
    ]).flat();
    const failures = async (format: string, file: string): Promise<string> => {
      const last = ["-c", "aio_flush", file];
      const { stdout, stderr } = await run("qemu-io", "-r", "-f", format, ...reads, ...last);
      return stdout + stderr;
    };
    const expected = await failures("qcow2", image);
    assertMatch(expected, /^(readv failed: Input\/output error\n)+$/);
    for (let pass = 0; pass < 5; pass++) {
      assertEquals(await failures("raw", exported.uri), expected);
    }
  },
);

/** Overwrites what guest cluster number `cluster` is stored in. */
async function damageCluster(image: string, cluster: number): Promise<void> {
  const map = await must("qemu-img", "map", "--output=json", image);
  assert(map.includes('"compressed": true') || map.includes('"data": true'));
  using file = Deno.openSync(image, { read: true, write: true });
  const header = new DataView(readAt(file, 0, 104).buffer);
  const l1 = Number(header.getBigUint64(40));
  const l2 = Number(new DataView(readAt(file, l1, 8).buffer).getBigUint64(0) & 0xfffffffffffe00n);
  const entry = new DataView(readAt(file, l2 + cluster * 8, 8).buffer).getBigUint64(0);
  // the offset of a compressed cluster ends at bit 61 - (cluster_bits - 8)
  const offset = Number(entry & (1n << 54n) - 1n);
  file.seekSync(offset + 20, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(100).fill(0xff));
}

function readAt(file: Deno.FsFile, offset: number, bytes: number): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(bytes);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.readSync(buffer);
  return buffer;
}
