/**
 * Images of other formats than QCOW are written to through the daemon as their twins are by qemu.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { IMAGE_TOOLS, randomNumbers } from "../support/images.ts";
import { ExportedImage } from "../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../support/tools.ts";

const SIZE = 16 * 1024 * 1024;

interface TwinKind {
  /** As `-t` has it, and as qemu does. */
  readonly format: string;
  readonly driver: string;
  readonly options: string;
  /** Whether `qemu-img check` knows the format. */
  readonly isChecked?: boolean;
}

const KINDS: readonly TwinKind[] = [
  { format: "VDI", driver: "vdi", options: "static=off", isChecked: true },
  { format: "VDI", driver: "vdi", options: "static=on", isChecked: true },
  { format: "VHD", driver: "vpc", options: "subformat=dynamic" },
  { format: "VHD", driver: "vpc", options: "subformat=dynamic,force_size=on" },
  { format: "VHD", driver: "vpc", options: "subformat=fixed" },
  { format: "VHD", driver: "vpc", options: "subformat=fixed,force_size=on" },
];

/** Writes and zeros for qemu-io. */
function commands(seed: number): string[] {
  const random = randomNumbers(seed);
  return Array.from({ length: 30 }, () => {
    const start = 512 * Math.floor(random() * SIZE / 512);
    const length = Math.min(512 * (1 + Math.floor(random() ** 2 * 4000)), SIZE - start);
    const kind = random() < 0.7 ? `write -P ${1 + Math.floor(random() * 255)}` : "write -z";
    return `${kind} ${start} ${length}`;
  });
}

for (const { format, driver, options, isChecked = false } of KINDS) {
  oracleTest(
    `an image is written to as its twin is by qemu: ${format}, ${options}`,
    IMAGE_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const [image, twin] = [folder.file("image"), folder.file("twin")];
      await must("qemu-img", "create", "-q", "-f", driver, "-o", options, image, `${SIZE}`);
      await must("cp", image, twin);
      for (const seed of [1, 2]) {
        await using exported = await ExportedImage.attach({
          folder,
          image,
          options: ["-t", format],
        });
        assertEquals(exported.attached.stderr, "");
        await must("qemu-io", "-f", "raw", ...lines(commands(seed)), exported.uri);
        await must("qemu-io", "-t", "unsafe", "-f", driver, ...lines(commands(seed)), twin);
        await exported.detach();
        assertEquals(exported.isGone, true);
        if (isChecked) await must("qemu-img", "check", "-q", "-f", driver, image);
        await must("qemu-img", "compare", "-f", driver, "-F", driver, image, twin);
      }
    },
  );
}

for (
  const { format, driver, options } of KINDS.filter(({ options }) => !/fixed|=on/.test(options))
) {
  oracleTest(
    `what was answered outlives a daemon that is killed: ${format}`,
    IMAGE_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const image = folder.file("image");
      await must("qemu-img", "create", "-q", "-f", driver, "-o", options, image, `${SIZE}`);
      for (const round of [1, 2]) {
        await using exported = await ExportedImage.attach({
          folder,
          image,
          name: `socket${round}`,
          options: ["-t", format],
        });
        const words = Array.from(
          { length: 5 },
          (_, n) => `write -P ${10 * round + n} ${placeOf(round, n)} 64k`,
        );
        // That ends it without a flush.
        const { code } = await run(
          "qemu-io",
          "-f",
          "raw",
          ...lines([...words, "abort"]),
          exported.uri,
        );
        assertNotEquals(code, 0);
        Deno.kill(exported.pid, "SIGKILL");
        await exported.ended();
        const reads = Array.from(
          { length: 5 },
          (_, n) => `read -P ${10 * round + n} ${placeOf(round, n)} 64k`,
        );
        const out = await must("qemu-io", "-r", "-f", driver, ...lines(reads), image);
        assertEquals(out.includes("failed"), false, out);
      }
    },
  );
}

/** Five places in blocks of their own, for each round. */
function placeOf(round: number, n: number): number {
  return (3 * n + round - 1) * 1024 * 1024 + 4096;
}

function lines(commands: readonly string[]): string[] {
  return commands.flatMap((line) => ["-c", line]);
}
