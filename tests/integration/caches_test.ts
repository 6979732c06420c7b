// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { NbdClient } from "./nbd_client.ts";

const MIB = 1024 * 1024;

/** Memory of a process that is its own, in bytes. */
function anonymousBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
}

oracleTest(
  "an export gives the memory of its caches back when it is idle, and reads on",
  ["qemu-img", "nbdcopy"],
  async () => {
    using folder = new TempDirectory();
    const raw = folder.file("disk.raw");
    const image = folder.file("disk.qcow2");
    const bytes = new Uint8Array(48 * MIB);
    new Uint32Array(bytes.buffer).forEach((_, index, words) => words[index] = index >>> 4);
    Deno.writeFileSync(raw, bytes);
    await must("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image);
    const options = ["-t", "QCOW", "-r", "--data-cache-size", "64M", "--cache-clean-interval", "1"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    for (let round = 0; round < 2; round++) {
      const copy = folder.file("copy");
      await mustSoon("nbdcopy", "--connections=1", exported.uri, copy);
      const used = anonymousBytes(exported.pid);
      assert(
        new TextDecoder().decode(Deno.readFileSync(copy)) ===
          new TextDecoder().decode(bytes),
      );
      const freed = (): boolean => used - anonymousBytes(exported.pid) > 40 * MIB;
      await eventually(freed, "memory to be given back");
    }
  },
);

oracleTest("an export keeps no memory of clients that are gone", ["nbdcopy"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.raw");
  Deno.writeFileSync(image, new Uint8Array(64 * MIB).fill(1));
  await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
  const used: number[] = [];
  for (let client = 0; client < 24; client++) {
    const how = ["--connections=1", "--request-size=1048576", exported.uri, "null:"];
    await mustSoon("nbdcopy", ...how);
    used.push(anonymousBytes(exported.pid));
  }
  const [early, late] = [Math.max(...used.slice(4, 8)), Math.min(...used.slice(-8))];
  assert(late - early < 4 * MIB, `${used.map((bytes) => Math.round(bytes / MIB))}`);
});

/** Requests that the runtime compiles what serves them for. */
const MANY = 6000;

/** What an export of an image takes that is idle again after many reads, or writes. */
async function idleBytes(folder: TempDirectory, image: string, what: "-r" | "-w"): Promise<number> {
  const access = what === "-r" ? [what] : [];
  const options = [...access, "-t", "QCOW", "--cache-clean-interval", "1"];
  await using exported = await ExportedImage.attach({ folder, image, options });
  using client = await NbdClient.connect(exported.socket);
  const block = new Uint8Array(4096).fill(7);
  for (let n = 0; n < MANY; n++) {
    const offset = (n * 7919) % 4096 * 4096;
    if (what === "-r") await client.read(offset, block.length);
    else await client.write(offset, block);
  }
  const used = anonymousBytes(exported.pid);
  await eventually(() => used - anonymousBytes(exported.pid) > 2 * MIB, "memory to be given back");
  return anonymousBytes(exported.pid);
}

oracleTest("an idle writable image takes little more memory than one that is only read", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", image, "64M");
  const [read, written] = [
    await idleBytes(folder, image, "-r"),
    await idleBytes(folder, image, "-w"),
  ];
  assert(written - read < 4 * MIB, `${written / MIB} and ${read / MIB} MiB`);
});
