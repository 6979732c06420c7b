/**
 * What -P says where no partitions come of it, and the sector size that a partition table is made for.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { deviceTest, FUSE, MIB } from "../fuse/device.ts";
import { buildVhdx } from "../../format/vhdx/image_builder.ts";
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

deviceTest("without -P or -b, a table for sectors of another size gets a hint", TOOLS, async () => {
  using folder = new LoopFolder();
  const image = await partitioned(folder, "gpt", 4096);
  const hint =
    `tslosetup: ${image}: warning: the partition table (GPT) is made for sectors of 4096 ` +
    "bytes, not 512 (-b 4096, or -b auto)\n";
  for (const options of [[], FUSE]) {
    assertEquals(await sectorsOf(image, ...options), { sectorBytes: 512, stderr: hint });
    assertEquals(await sectorsOf(image, ...options, "-b", "512"), { sectorBytes: 512, stderr: "" });
  }
  const usual = await partitioned(folder, "dos", 512);
  assertEquals(await sectorsOf(usual), { sectorBytes: 512, stderr: "" });
});

deviceTest(
  "a device has the sectors that its image says, unless -b says otherwise",
  TOOLS,
  async () => {
    using folder = new LoopFolder();
    const image = folder.file("disk.vhdx");
    Deno.writeFileSync(image, buildVhdx({ sectorBytes: 4096 }));
    for (const transport of [[], FUSE]) {
      const words = ["-r", "-t", "VHDX", ...transport, image];
      assertEquals(await sectorsOf(...words), { sectorBytes: 4096, stderr: "" });
      assertEquals(await sectorsOf(...words, "-b", "512"), { sectorBytes: 512, stderr: "" });
      assertEquals(await sectorsOf(...words, "-b", "auto"), { sectorBytes: 4096, stderr: "" });
    }
  },
);

deviceTest(
  "-b auto takes the size of sectors from the partition table in the disk",
  [...TOOLS, "qemu-img"],
  async (t) => {
    using folder = new LoopFolder();
    const plain = await partitioned(folder, "gpt", 4096);
    const image = folder.file("disk.qcow2");
    await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", plain, image);
    const packed = folder.file("packed.qcow2");
    await must("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", plain, packed);
    const ways: readonly string[][] = [
      [plain],
      [...FUSE, plain],
      ["-t", "QCOW", ...FUSE, image],
      ["-t", "QCOW", image],
      ["-t", "QCOW", "--transport", "view", image],
      ["-t", "QCOW", packed],
    ];
    for (const way of ways) {
      await t.step(way.join(" "), async () => {
        assertEquals(await sectorsOf(...way, "-b", "auto"), { sectorBytes: 4096, stderr: "" });
      });
    }
    await t.step("of what the device shows", async () => {
      const moved = ["-o", `${MIB}`, "-b", "auto", plain];
      assertEquals(await sectorsOf(...moved), { sectorBytes: 512, stderr: "" });
    });
    await t.step("a device that is set up", async () => {
      const device = (await asRoot().must("-f", "--show", "-b", "512", plain)).trim();
      try {
        await asRoot().must("-b", "auto", device);
        assertEquals(sectorBytesOf(device), 4096);
      } finally {
        await asRoot().must("-d", device);
      }
    });
    await t.step("without a table, it is the default", async () => {
      const empty = folder.sparse("empty", MIB);
      assertEquals(await sectorsOf("-b", "auto", empty), { sectorBytes: 512, stderr: "" });
      assertEquals(await sectorsOf("-b", "auto", ...FUSE, empty), { sectorBytes: 512, stderr: "" });
    });
  },
);

interface Sectors {
  readonly sectorBytes: number;
  readonly stderr: string;
}

/** Attaches read-only with these words; what the device's sectors are, and what was said. */
async function sectorsOf(...words: string[]): Promise<Sectors> {
  const { code, stdout, stderr } = await asRoot().run("-r", "-f", "--show", ...words);
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /^\/dev\/loop\d+\n$/);
  const device = stdout.trim();
  try {
    return { sectorBytes: sectorBytesOf(device), stderr };
  } finally {
    await asRoot().must("-d", device);
  }
}

function sectorBytesOf(device: string): number {
  const name = device.slice("/dev/".length);
  return Number(Deno.readTextFileSync(`/sys/block/${name}/queue/logical_block_size`));
}
