/**
 * An image of the matrix over a socket, beside what qemu's tools say of it.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { ExportedImage, mustSoon } from "../support/program.ts";
import { must, type TempDirectory } from "../support/tools.ts";
import { agreeing, nbdMap, type Stretch } from "./oracle.ts";

/** What an export is expected to show. */
export interface Expected {
  readonly sizeBytes: number;
  /** What qemu lists of the image. */
  readonly map: () => Promise<Stretch[]>;
  /** Words of `qemu-img compare` that come before the export: what it is compared with. */
  readonly compare: readonly string[];
}

/** Attaches an image read-only, compares size, map and content, and detaches it, which leaves nothing. */
export async function checkExport(
  attach: { readonly folder: TempDirectory; readonly image: string; readonly options: string[] },
  { sizeBytes, map, compare }: Expected,
): Promise<void> {
  const options = ["-r", ...attach.options];
  await using exported = await ExportedImage.attach({ ...attach, options });
  const { uri, socket } = exported;
  assertEquals(Number(await mustSoon("nbdinfo", "--size", uri)), sizeBytes);
  await agreeing(
    async () => [await nbdMap(uri, sizeBytes), await map()] as const,
    (ours, theirs) => assertEquals(ours, theirs),
  );
  const export_ = `driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=${socket}`;
  await must("qemu-img", "compare", ...compare, export_);
  await exported.detach();
  assertEquals([exported.isGone, exported.attached.stderr], [true, ""]);
}
