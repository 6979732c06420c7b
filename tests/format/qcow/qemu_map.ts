/**
 * What `qemu-img map` says of an image, against what the driver says.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { Extent } from "../../../src/image/mapping.ts";
import { must } from "../../support/tools.ts";
import type { OpenedImage } from "../opened_image.ts";

interface QemuExtent {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly data: boolean;
}

/**
 * Checks that each extent of qemu's is covered by answers of the same kind. Where qemu says both
 * `zero` and `data` (a hole in the file, or its end) either kind is right.
 */
export async function checkMap(
  opened: OpenedImage,
  path: string,
  format = "qcow2",
): Promise<void> {
  const json = await must("qemu-img", "map", "-f", format, "--output=json", path);
  const expected: QemuExtent[] = JSON.parse(json);
  let covered = 0;
  for (const extent of expected) {
    assertEquals(extent.start, covered);
    checkExtent(opened, extent);
    covered += extent.length;
  }
  assertEquals(covered, opened.image.sizeBytes);
}

function checkExtent(opened: OpenedImage, expected: QemuExtent): void {
  let covered = 0;
  for (const { start, mapping } of opened.extents(expected.start, expected.length)) {
    const isZero = mapping.kind === Extent.Zero || mapping.kind === Extent.Backing;
    const agrees = isZero ? expected.zero : expected.data;
    assert(agrees, `${mapping.lengthBytes} bytes at ${start}: kind ${mapping.kind}`);
    covered += mapping.lengthBytes;
  }
  assertEquals(covered, expected.length);
}
