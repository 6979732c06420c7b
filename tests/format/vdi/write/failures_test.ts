// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENTRY_FREE, HEADER } from "../../../../src/format/vdi/layout.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { buildVdi } from "../image_builder.ts";

function firstEntry(path: string): number {
  const view = new DataView(Deno.readFileSync(path).buffer);
  return view.getUint32(view.getUint32(HEADER.offsets.offset_blocks, true), true);
}

Deno.test("vdi refers to no block before the file durably has it, though there was no room before", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = folder.file("image.vdi");
  Deno.writeFileSync(path, buildVdi({ map: [ENTRY_FREE, ENTRY_FREE], stored: 0 }));
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { file, request: { format: "VDI" } });
  const setSize = file.setSize.bind(file);
  file.setSize = () => {
    throw new SystemError("ftruncate", 28, path);
  };
  assertThrows(() => disk.write(0, new Uint8Array(512).fill(1)), SystemError);
  assert(disk.flush());
  file.setSize = setSize;
  disk.write(0, new Uint8Array(512).fill(2));
  assertEquals(firstEntry(path), ENTRY_FREE);
  assert(disk.flush());
  assertEquals(firstEntry(path), 0);
  assert(disk.close());
});
