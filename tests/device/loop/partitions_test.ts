/**
 * What -P says where no partitions come of it.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { deviceTest, FUSE, MIB } from "../fuse/device.ts";
import { asRoot } from "../../support/program.ts";
import { must } from "../../support/tools.ts";
import { LoopFolder } from "./loop_folder.ts";

const TOOLS = ["sfdisk"] as const;
const TABLES = { dos: "MBR", gpt: "GPT" } as const;

type Label = keyof typeof TABLES;

/** A disk with two partitions, in a table for sectors of that size. */
async function partitioned(folder: LoopFolder, label: Label, sectorBytes: number): Promise<string> {
  const image = folder.sparse(`${label}-${sectorBytes}`, 16 * MIB);
  const options = ["-b", `${sectorBytes}`, "-f", "--show"];
  const device = (await must("losetup", ...options, image)).trim();
  try {
    const script = `printf "label: ${label}\\n,2MiB\\n,2MiB\\n" | sfdisk --quiet ${device}`;
    await must("sh", "-c", script);
  } finally {
    await must("losetup", "-d", device);
  }
  return image;
}

function partitionsOf(device: string): string[] {
  const name = device.slice("/dev/".length);
  return [...Deno.readDirSync(`/sys/block/${name}`)].map((entry) => entry.name)
    .filter((entry) => entry.startsWith(name));
}

interface Shown {
  readonly partitions: number;
  readonly stderr: string;
}

/** Attaches with -P; what came of it. */
async function shown(image: string, ...options: string[]): Promise<Shown & { device: string }> {
  const program = asRoot();
  const { code, stdout, stderr } = await program.run("-r", "-P", "-f", "--show", ...options, image);
  assertEquals(code, 0, stderr);
  const device = stdout.trim();
  const partitions = partitionsOf(device).length;
  await program.must("-d", device);
  return { partitions, stderr, device };
}

for (const label of ["dos", "gpt"] as const) {
  deviceTest(`-P tells if the kernel makes nothing of a table (${label})`, TOOLS, async (t) => {
    using folder = new LoopFolder();
    const image = await partitioned(folder, label, 512);
    for (const transport of [[], FUSE]) {
      await t.step(transport.join(" ") || "loop", async () => {
        const { partitions, stderr, device } = await shown(image, ...transport);
        const missing =
          `tslosetup: ${image}: warning: no partitions: the kernel makes nothing of ` +
          `the partition table (${TABLES[label]}), whose kind it may not know; ` +
          `partx -a ${device} adds them\n`;
        assertEquals(stderr, partitions === 0 ? missing : "");
      });
    }
  });
}

for (const [made, used] of [[4096, 512], [512, 4096]] as const) {
  deviceTest(
    `-P tells if a table is made for ${made}-byte sectors, not for ${used}`,
    TOOLS,
    async (t) => {
      using folder = new LoopFolder();
      const image = await partitioned(folder, "gpt", made);
      for (const transport of [[], FUSE]) {
        await t.step(transport.join(" ") || "loop", async () => {
          const { stderr } = await shown(image, ...transport, "-b", `${used}`);
          assertEquals(
            stderr,
            `tslosetup: ${image}: warning: no partitions: the partition table (GPT) is made for ` +
              `sectors of ${made} bytes, not ${used}; -b ${made} shows them\n`,
          );
          const hinted = await shown(image, ...transport, "-b", `${made}`);
          assertEquals(hinted.partitions === 0, /makes nothing/.test(hinted.stderr));
        });
      }
    },
  );
}

deviceTest("-P says nothing of disks without partitions", TOOLS, async () => {
  using folder = new LoopFolder();
  const empty = folder.sparse("empty", MIB);
  assertEquals((await shown(empty)).stderr, "");
  await must("sh", "-c", `echo "label: gpt" | sfdisk --quiet ${empty}`);
  assertEquals((await shown(empty)).stderr, "");
});

deviceTest("without -P nothing is said of a partition table", TOOLS, async () => {
  using folder = new LoopFolder();
  const image = await partitioned(folder, "gpt", 4096);
  const { code, stdout, stderr } = await asRoot().run("-f", "--show", image);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^\/dev\/loop\d+\n$/);
});
