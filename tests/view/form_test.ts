// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import { qcow } from "../../src/format/qcow/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../src/image/errors.ts";
import { viewForm } from "../../src/view/choose_form.ts";
import { CHUNK_ENTRY, INODE, NO_BLOCK, SUPER_BLOCK, SUPER_OFFSET } from "../../src/view/layout.ts";
import { DemandForm } from "../../src/view/demand_form.ts";
import type { Forming } from "../../src/view/form.ts";
import { mutated } from "../format/mutations.ts";
import { OpenedImage } from "../format/opened_image.ts";
import { extendedOriginal, standardOriginal, zstdOriginal } from "../format/qcow/originals.ts";
import { randomNumbers } from "../support/images.ts";
import { contentOf, readServed } from "./demanded.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

const MUTATIONS = 400;
/** Behind a folder's inode and entries, the file's inode follows. */
const FOLDER_BYTES = 512;

const ORIGINALS = {
  standard: standardOriginal(12, 3),
  zstd: zstdOriginal(12),
  extended: extendedOriginal(14),
};

/** That every chunk lies within one of the devices, whose sizes are given, the metadata's first. */
function checkChunks(metadata: Uint8Array<ArrayBuffer>, deviceSizes: readonly number[]): void {
  const view = new DataView(metadata.buffer);
  const { blkszbits, meta_blkaddr } = SUPER_BLOCK.read(view, SUPER_OFFSET);
  const blockBytes = 2 ** blkszbits;
  const inode = meta_blkaddr * blockBytes + FOLDER_BYTES;
  const { i_size, i_u } = INODE.read(view, inode);
  const chunkBytes = 2 ** ((i_u & 0x1f) + blkszbits);
  for (let start = 0; start < Number(i_size); start += chunkBytes) {
    const at = inode + INODE.sizeBytes + start / chunkBytes * CHUNK_ENTRY.size;
    const block = view.getUint32(at + CHUNK_ENTRY.block, true);
    if (block === NO_BLOCK) continue;
    const device = view.getUint16(at + CHUNK_ENTRY.device, true);
    const blocks = Math.ceil(Math.min(chunkBytes, Number(i_size) - start) / blockBytes);
    assertLessOrEqual((block + blocks) * blockBytes, deviceSizes[device] ?? 0, `chunk at ${start}`);
  }
}

for (const [name, original] of Object.entries(ORIGINALS)) {
  Deno.test(`viewForm() leads nowhere but into the image's files, whatever a ${name} image says`, () => {
    using folder = new TempDirectory();
    const path = folder.file("image");
    const random = randomNumbers(name.length);
    const counts = { chunked: 0, decoding: 0, refused: 0 };
    for (let count = 0; count < MUTATIONS; count++) {
      Deno.writeFileSync(path, mutated(original, random));
      try {
        using opened = new OpenedImage(path, qcow);
        const { access, file } = opened;
        const fileSizes = [file.sizeBytes - file.sizeBytes % 512];
        const form = viewForm({ access, fileSizes }, count % 2 === 1);
        const { bytes: metadata, windows } = form.metadata("disk");
        const ofFiles = fileSizes.map((size, file) => size - (form.fileStarts[file] ?? 0));
        const deviceSizes = [...ofFiles, ...windows.map((window) => window.sizeBytes)];
        assert(form.servedShare >= 0 && form.servedShare <= 1);
        if (form.isDecoding) counts.decoding++;
        else {
          checkChunks(metadata, [metadata.length, ...deviceSizes]);
          counts.chunked++;
        }
        checkDemanded({ access, fileSizes });
      } catch (error) {
        const isKnown = error instanceof ImageFormatError ||
          error instanceof UnsupportedFeatureError || error instanceof RangeError;
        if (!isKnown) throw error;
        counts.refused++;
      }
    }
    assertGreater(counts.chunked, 20);
    assertEquals(counts.chunked + counts.decoding + counts.refused, MUTATIONS);
  });
}

/** The same of metadata that are made on demand. */
function checkDemanded(forming: Forming): void {
  const form = new DemandForm(forming);
  assert(form.servedShare >= 0 && form.servedShare <= 1);
  const { formed: { windows, leadBytes }, content } = contentOf(forming.access, form);
  const metadata = readServed(content, 0, leadBytes);
  const ofFiles = forming.fileSizes.map((size, file) => size - (form.fileStarts[file] ?? 0));
  checkChunks(metadata, [leadBytes, ...ofFiles, ...windows.map(({ sizeBytes }) => sizeBytes)]);
}

oracleTest(
  "viewForm() refuses what is too large before it reads tables",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("image");
    await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", path, "513T");
    using opened = new OpenedImage(path, qcow);
    const forming = { access: opened.access, fileSizes: [0] };
    assertThrows(() => viewForm(forming, false), RangeError, "too large");
  },
);
