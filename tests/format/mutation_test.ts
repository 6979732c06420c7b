// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { androidSparse } from "../../src/format/android_sparse/mod.ts";
import { bochs } from "../../src/format/bochs/mod.ts";
import { cloop } from "../../src/format/cloop/mod.ts";
import { parallels } from "../../src/format/parallels/mod.ts";
import { dmg } from "../../src/format/dmg/mod.ts";
import { qcow } from "../../src/format/qcow/mod.ts";
import { qcow1 } from "../../src/format/qcow1/mod.ts";
import { qed } from "../../src/format/qed/mod.ts";
import { vdi } from "../../src/format/vdi/mod.ts";
import { vhd } from "../../src/format/vhd/mod.ts";
import { vhdx } from "../../src/format/vhdx/mod.ts";
import { vmdk } from "../../src/format/vmdk/mod.ts";
import { sparseimage } from "../../src/format/sparseimage/mod.ts";
import { ewf } from "../../src/format/ewf/mod.ts";
import { zstd } from "../../src/format/zstd/mod.ts";
import { xz } from "../../src/format/xz/mod.ts";
import type { FormatDriver, OpenOptions } from "../../src/image/driver.ts";
import { ImageFormatError, SecretError, UnsupportedFeatureError } from "../../src/image/errors.ts";
import { keyRing } from "../../src/image/key_ring.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { randomNumbers } from "../support/images.ts";
import { processorMs } from "../support/patience.ts";
import { memoryFolder, TempDirectory } from "../support/tools.ts";
import { androidSparseOriginal } from "./android_sparse/original.ts";
import { bochsOriginal } from "./bochs/original.ts";
import { cloopOriginal } from "./cloop/original.ts";
import { type Bytes, mutated, type Original, pick, type Random } from "./mutations.ts";
import { BUILT_PASSPHRASE } from "./luks/volume_builder.ts";
import { dmgOriginals } from "./dmg/original.ts";
import { OpenedImage } from "./opened_image.ts";
import { parallelsOriginal } from "./parallels/original.ts";
import { buildImage } from "./qcow/image_builder.ts";
import {
  aesOriginal,
  extendedOriginal,
  luksOriginal,
  snapshotOriginal,
  standardOriginal,
  version1Original,
  zstdOriginal,
} from "./qcow/originals.ts";
import { qedOriginal } from "./qed/original.ts";
import { sparseimageOriginal } from "./sparseimage/original.ts";
import { vdiOriginal } from "./vdi/original.ts";
import { vhdOriginal } from "./vhd/original.ts";
import { ewfOriginal } from "./ewf/original.ts";
import { zstdFileOriginals } from "./zstd/original.ts";
import { xzOriginal } from "./xz/original.ts";
import { vhdxOriginals } from "./vhdx/original.ts";
import { cowdOriginal, seSparseOriginal, streamOriginals, vmdkOriginal } from "./vmdk/original.ts";

/** For each feature; `deno task test:mutations` asks for more. */
const MUTATIONS = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 2500);
/** Of processor time. */
const SLOWEST_MILLISECONDS = 5000;
const LARGEST_GROWTH_BYTES = 192 * 1024 * 1024;
/** After this part of them, the runtime has what it takes until it collects its garbage. */
const WARM_UP = 0.2;
const READ_BYTES = 32768;

interface Feature {
  readonly name: string;
  readonly originals: readonly Original[];
  /** QCOW if left out. */
  readonly driver?: FormatDriver;
  readonly options?: Partial<OpenOptions>;
}

const KEYS = keyRing(BUILT_PASSPHRASE);

const FEATURES: readonly Feature[] = [
  {
    name: "standard clusters",
    originals: [9, 12, 14].flatMap((clusterBits) =>
      [2, 3].map((version) => standardOriginal(clusterBits, version))
    ),
    options: { force: true },
  },
  { name: "zstd", originals: [zstdOriginal(9), zstdOriginal(14)] },
  { name: "extended L2", originals: [extendedOriginal(14), extendedOriginal(16)] },
  {
    name: "snapshots",
    originals: [snapshotOriginal(9), snapshotOriginal(12)],
    options: { snapshot: "second" },
  },
  { name: "encrypted, AES", originals: [aesOriginal(9), aesOriginal(12)], options: { keys: KEYS } },
  {
    name: "encrypted, LUKS",
    originals: [luksOriginal(9), luksOriginal(12)],
    options: { keys: KEYS },
  },
  { name: "version 1", originals: [version1Original()], driver: qcow1 },
  { name: "Parallels", originals: parallelsOriginal(), driver: parallels },
  { name: "QED", originals: [qedOriginal()], driver: qed },
  { name: "ANDROID-SPARSE", originals: [androidSparseOriginal()], driver: androidSparse },
  { name: "CLOOP", originals: [cloopOriginal()], driver: cloop },
  { name: "BOCHS", originals: [bochsOriginal()], driver: bochs },
  { name: "EWF", originals: [ewfOriginal()], driver: ewf },
  { name: "ZSTD", originals: zstdFileOriginals(), driver: zstd },
  { name: "XZ", originals: [xzOriginal()], driver: xz },
  { name: "VDI", originals: [vdiOriginal()], driver: vdi },
  { name: "DMG", originals: dmgOriginals(), driver: dmg },
  { name: "SPARSEIMAGE", originals: [sparseimageOriginal()], driver: sparseimage },
  { name: "VHD", originals: [vhdOriginal()], driver: vhd, options: { force: true } },
  { name: "VHDX", originals: vhdxOriginals(), driver: vhdx },
  { name: "VMDK", originals: [vmdkOriginal()], driver: vmdk },
  { name: "VMDK streams", originals: streamOriginals(), driver: vmdk },
  {
    name: "VMDK extents of ESX",
    originals: [cowdOriginal(), seSparseOriginal()],
    driver: vmdk,
    options: { force: true },
  },
];

for (const [index, { name, originals, driver = qcow, options = {} }] of FEATURES.entries()) {
  Deno.test(`drivers survive damaged images: ${name}`, () => {
    using folder = new TempDirectory(memoryFolder());
    const path = folder.file("damaged.qcow2");
    const random = randomNumbers(20_190_101 + index);
    let before = 0;
    let read = 0;
    for (let i = 0; i < MUTATIONS; i++) {
      if (i === Math.floor(MUTATIONS * WARM_UP)) before = Deno.memoryUsage().rss;
      const bytes = mutated(pick(originals, random), random);
      const start = processorMs();
      if (openAndRead(path, { bytes, driver, options }, random)) read++;
      assert(processorMs() - start < SLOWEST_MILLISECONDS, `mutation ${i} is too slow`);
    }
    const growth = Deno.memoryUsage().rss - before;
    assert(growth < LARGEST_GROWTH_BYTES, `${growth} bytes more memory`);
    // what is refused at once tests little
    assert(read > MUTATIONS / 20, `only ${read} of ${MUTATIONS} images could be opened`);
  });
}

Deno.test("qcow allocates little for a header that asks for much", () => {
  using folder = new TempDirectory();
  const path = folder.file("greedy.qcow2");
  const before = Deno.memoryUsage().external;
  // the largest L1 table there can be, in a file that has it, for a disk as large as it allows
  const header = { size: 2n ** 37n, l1_size: 4 * 1024 * 1024 };
  const bytes = buildImage({ clusterBits: 9, header, l1: [] });
  Deno.writeFileSync(path, bytes);
  Deno.truncateSync(path, 33 * 1024 * 1024);
  using opened = new OpenedImage(path, qcow);
  opened.read(2 ** 37 - 512, 512);
  const growth = Deno.memoryUsage().external - before;
  // L1 table 32 MiB, slices 16 MiB, decompressed clusters 8 MiB with their keys
  assert(growth < 64 * 1024 * 1024, `${growth} bytes`);
});

interface Damaged extends Required<Pick<Feature, "driver" | "options">> {
  readonly bytes: Bytes;
}

/** Whether the image could be opened. Only the errors a damaged image may cause are caught. */
function openAndRead(
  path: string,
  { bytes, driver, options }: Damaged,
  random: Random,
): boolean {
  Deno.writeFileSync(path, bytes);
  try {
    using opened = new OpenedImage(path, driver, { readOnly: true, ...options });
    const { sizeBytes } = opened.image;
    readOne(opened, 0);
    readOne(opened, sizeBytes - READ_BYTES);
    for (let i = 0; i < 4; i++) readOne(opened, Math.floor(random() * sizeBytes));
    driver.info?.(opened.file);
    return true;
  } catch (error) {
    if (!isExpected(error)) throw error;
    return false;
  }
}

function readOne(opened: OpenedImage, offset: number): void {
  const start = Math.max(0, offset);
  const lengthBytes = Math.min(READ_BYTES, opened.image.sizeBytes - start);
  try {
    opened.read(start, lengthBytes);
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
    error instanceof SystemError || error instanceof SecretError;
}
