/**
 * What was written to devices of images, and never flushed, is there when their daemons have been killed
 * and others have taken their places; and the images are in order when they are detached.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isLinuxSince } from "../../../src/kernel/release.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { sameBytes } from "../../format/opened_image.ts";
import { Random } from "../../format/qcow/write/random_ops.ts";
import { createEncrypted, keyFileOf, PASSPHRASE } from "../../support/encrypted.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

const SIZE = 32 * MIB;
const KIB = 1024;
const BLOCK = 4 * KIB;
const CHANGES = 14;
/** One, of a few kinds of images, or so many of all of them (`deno task test:revived-changes`). */
const KILLS = Number(Deno.env.get("TSLOSETUP_REVIVALS") ?? 1);

interface Kind {
  readonly name: string;
  readonly format: string;
  /** What qemu calls it, and how it makes it; without it, it is a plain file. */
  readonly driver?: string;
  readonly options?: readonly string[];
  /** Whether there is something below it. */
  readonly isBacked?: boolean;
  readonly isEncrypted?: boolean;
  readonly words?: readonly string[];
  /** Whether qemu can tell that nothing in it is wrong, or leaked. */
  readonly isChecked?: boolean;
  /** Whether what is written does not get there. */
  readonly isKept?: boolean;
}

const KINDS: readonly Kind[] = [
  { name: "QCOW", format: "QCOW", driver: "qcow2", isChecked: true },
  { name: "QCOW, backed", format: "QCOW", driver: "qcow2", isBacked: true, isChecked: true },
  { name: "QCOW with LUKS", format: "QCOW", driver: "qcow2", isEncrypted: true },
  { name: "VDI", format: "VDI", driver: "vdi", isChecked: true },
  { name: "VHD", format: "VHD", driver: "vpc", options: ["-o", "force_size=on"] },
  { name: "VHDX", format: "VHDX", driver: "vhdx", isChecked: true },
  { name: "VMDK", format: "VMDK", driver: "vmdk", isChecked: true },
  { name: "PARALLELS", format: "PARALLELS", driver: "parallels", isChecked: true },
  { name: "QED, backed", format: "QED", driver: "qed", isBacked: true, isChecked: true },
  {
    name: "an overlay in memory",
    format: "QCOW",
    driver: "qcow2",
    isBacked: true,
    isKept: true,
    words: ["--overlay=ram"],
  },
];

const FEW = ["QCOW", "an overlay in memory"];

function revivalTest(name: string, body: () => Promise<void>): void {
  const obstacle = isLinuxSince(6, 9) ? undefined : "no FUSE_NOTIFY_RESEND before Linux 6.9";
  deviceTest(name, ["qemu-img", "dd", "blkdiscard"], body, { obstacle });
}

/** Makes an image; what has to be said to attach it. */
async function make(folder: TempDirectory, path: string, kind: Kind): Promise<readonly string[]> {
  const { driver = "", options = [], isBacked, isEncrypted } = kind;
  if (isEncrypted) {
    const fast = ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"];
    await createEncrypted(path, SIZE, { format: "qcow2", options: fast });
    Deno.writeTextFileSync(keyFileOf(path), PASSPHRASE);
    return ["--key-file", keyFileOf(path)];
  }
  const base = folder.file("base");
  if (isBacked) Deno.writeFileSync(base, new Uint8Array(SIZE).fill(0xba));
  const below = isBacked ? ["-b", base, "-F", "raw"] : [];
  await must("qemu-img", "create", "-q", "-f", driver, ...options, ...below, path, `${SIZE}`);
  return [];
}

/** The disk as it is to be, which changes with it. */
class Model {
  readonly bytes: Uint8Array;
  readonly #random: Random;
  readonly #source: string;
  #next = 1;

  constructor(bytes: Uint8Array, source: string, seed: number) {
    this.bytes = bytes;
    this.#source = source;
    this.#random = new Random(seed);
  }

  /** Changes it, and the disk, without a flush. */
  async change(device: string): Promise<void> {
    const random = this.#random;
    const blocks = 1 + random.below(random.below(4) === 0 ? 512 : 8);
    const first = random.below(SIZE / BLOCK - blocks);
    const [start, end] = [first * BLOCK, (first + blocks) * BLOCK];
    if (random.below(5) === 0) {
      const range = ["-o", `${start}`, "-l", `${end - start}`];
      await must("blkdiscard", "-z", ...range, device);
      this.bytes.fill(0, start, end);
      return;
    }
    const bytes = new Uint8Array(end - start).fill(this.#next++ & 0xff);
    for (let at = 0; at < bytes.length; at += BLOCK) bytes[at] = at / BLOCK & 0xff;
    Deno.writeFileSync(this.#source, bytes);
    await must(
      ...["dd", `if=${this.#source}`, `of=${device}`, `bs=${end - start}`] as const,
      ...["count=1", `seek=${start}`, "oflag=direct,seek_bytes", "conv=notrunc", "status=none"],
    );
    this.bytes.set(bytes, start);
  }
}

async function read(device: string, to: string): Promise<Uint8Array> {
  await must("dd", `if=${device}`, `of=${to}`, "bs=1M", "iflag=direct", "status=none");
  return Deno.readFileSync(to);
}

for (const [seed, kind] of KINDS.entries()) {
  if (KILLS === 1 && !FEW.includes(kind.name)) continue;
  revivalTest(`what was never flushed outlives daemons: ${kind.name}`, async () => {
    using folder = new TempDirectory();
    const [image, raw] = [folder.file("image"), folder.file("raw")];
    const { format, driver = "", words = [] } = kind;
    const keys = await make(folder, image, kind);
    const allowed = kind.isBacked ? ["--allow-backing", folder.path] : [];
    const all = ["-t", format, ...keys, ...words, ...allowed];
    const before = Deno.readFileSync(image);
    {
      await using device = await Device.attach(image, ...all);
      const model = new Model(await read(device.path, raw), folder.file("source"), seed);
      for (let kills = 0; kills < KILLS; kills++) {
        for (let n = 0; n < CHANGES; n++) await model.change(device.path);
        await device.killAndRevive();
        if (!sameBytes(await read(device.path, raw), model.bytes)) {
          throw new Error(`something is missing after kill ${kills + 1}`);
        }
      }
      await device.detach();
      await device.gone();
      Deno.writeFileSync(raw, model.bytes);
    }
    if (kind.isKept) return assertEquals(sameBytes(Deno.readFileSync(image), before), true);
    if (kind.isChecked) {
      const { code, stdout } = await run("qemu-img", "check", "-f", driver, image);
      assertEquals(code, 0, stdout);
    }
    if (kind.isEncrypted) return;
    await must("qemu-img", "compare", "-f", driver, "-F", "raw", image, raw);
  });
}
