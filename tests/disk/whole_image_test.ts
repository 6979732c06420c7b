// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { imageOfPiece } from "../../src/disk/whole_image.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { buildEwf } from "../format/ewf/image_builder.ts";
import { buildBundle } from "../format/sparsebundle/bundle_builder.ts";
import { buildExtent, descriptor } from "../format/vmdk/image_builder.ts";
import { TempDirectory } from "../support/tools.ts";

// It stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("imageOfPiece() finds the image of an extent, a segment, a band", () => {
  using folder = new TempDirectory();
  const put = (name: string, bytes: Uint8Array): string => {
    Deno.writeFileSync(folder.file(name), bytes);
    return folder.file(name);
  };
  const vmdk = folder.file("x.vmdk");
  Deno.writeTextFileSync(vmdk, descriptor(['RW 16 SPARSE "x-s001.vmdk"']));
  const extent = put("x-s001.vmdk", buildExtent({ map: [0, 1] }));
  const first = put("x.E01", buildEwf({ goesOn: true }));
  const second = put("x.E02", buildEwf({ number: 2 }));
  const list = buildBundle(folder.file("x.sparsebundle"), { bands: { "1f": { fill: 1 } } });
  const band = folder.file("x.sparsebundle/bands/1f");
  assertEquals([extent, second, band].map(imageOfPiece), [vmdk, first, list]);
});

Deno.test("imageOfPiece() finds none of what is only named like a piece, is none, or is not there", () => {
  using folder = new TempDirectory();
  Deno.writeTextFileSync(folder.file("x.vmdk"), descriptor(['RW 8 FLAT "other-flat.vmdk" 0']));
  Deno.writeFileSync(folder.file("other-flat.vmdk"), new Uint8Array(4096));
  Deno.writeFileSync(folder.file("x.E01"), buildEwf());
  for (const name of ["x-flat.vmdk", "x.E02", "disk.img"]) {
    Deno.writeFileSync(folder.file(name), new Uint8Array(4096));
    assertEquals(imageOfPiece(folder.file(name)), undefined, name);
  }
  for (const name of ["nowhere", "."]) assertEquals(imageOfPiece(folder.file(name)), undefined);
});
