// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { replayChanges } from "../../../../src/loop/replay_changes.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IoBuffer } from "../../../../src/sys/memory.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { adoptVhd, BLOCK, buildVhd, TABLE, uuid } from "../image_builder.ts";

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

Deno.test("vhd: what was written in place outlives a daemon that could not write the table", () => {
  using folder = new TempDirectory(memoryFolder());
  const [path, storePath] = [folder.file("image.vhd"), folder.file("store")];
  Deno.writeFileSync(path, buildVhd({ map: EMPTY, stored: 0 }));
  Deno.writeFileSync(storePath, new Uint8Array());
  const memory = new IoBuffer(64 * 64);
  {
    using store = openForWriting(storePath);
    const file = openForWriting(path);
    using disk = new WritableDisk(path, { ...VHD, file, kept: { memory, store, storeOffset: 0 } });
    // What the table is to be written to before is so, and there is a place for the block.
    disk.flush();
    const write = file.write.bind(file);
    file.write = (source, position, hostOffset, lengthBytes) => {
      if (hostOffset >= TABLE && hostOffset < TABLE + 512) throw new SystemError("write", 28, path);
      write(source, position, hostOffset, lengthBytes);
    };
    disk.write(BLOCK + 1024, new Uint8Array(512).fill(1));
    for (const sector of [0, 3, 7]) {
      disk.write(BLOCK + sector * 512, new Uint8Array(512).fill(sector + 2));
    }
    file.write = write;
    // As it is now, it is killed.
    Deno.copyFileSync(path, folder.file("killed.vhd"));
  }
  using store = openForWriting(storePath);
  using disk = new WritableDisk(folder.file("killed.vhd"), {
    ...VHD,
    kept: { memory, store, storeOffset: 0 },
  });
  assertEquals(replayChanges(disk.access), 1);
  const found = Array.from({ length: 8 }, (_, sector) => disk.read(BLOCK + sector * 512, 1)[0]);
  assertEquals(found, [2, 0, 1, 5, 0, 0, 0, 9]);
});
