// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { adoptVhd, buildVhd, uuid } from "../image_builder.ts";

const MIB = 1024 * 1024;
const VHD = { request: { format: "VHD" } } as const;
const EMPTY = Array.from({ length: 8 }, () => undefined);

/** Its blocks have two sectors of bits each. */
function childOf(folder: TempDirectory): string {
  const path = folder.file("child.vhd");
  const footer = { current_size: BigInt(8 * MIB) };
  const header = { block_size: 4 * MIB };
  Deno.writeFileSync(path, buildVhd({ map: EMPTY, stored: 0, footer, header }));
  const parent = folder.file("base.vhd");
  Deno.writeFileSync(parent, buildVhd({ map: EMPTY, stored: 0, footer: { uuid: uuid(9) } }));
  adoptVhd(path, parent);
  return path;
}

Deno.test("vhd forgets the bits of a block that it gave back", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = childOf(folder);
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VHD, file });
  const write = file.write.bind(file);
  file.write = (source, position, hostOffset, lengthBytes) => {
    if (lengthBytes === 1024) throw new SystemError("write", 28, path);
    write(source, position, hostOffset, lengthBytes);
  };
  assertThrows(() => disk.write(0, new Uint8Array(1024).fill(1)), SystemError);
  file.write = write;
  // The same block gets another place, and bits about another part of it first.
  disk.write(2 * MIB, new Uint8Array(512).fill(2));
  disk.write(0, new Uint8Array(512).fill(3));
  assert(disk.close());
  using again = new WritableDisk(path, { request: { ...VHD.request, readOnly: true } });
  assertEquals([again.read(0, 1)[0], again.read(2 * MIB, 1)[0]], [3, 2]);
});
