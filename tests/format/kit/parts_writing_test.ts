// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { PartsWriting, type WritablePart } from "../../../src/format/kit/parts_writing.ts";
import { Cleared, Placement, type Tables } from "../../../src/image/writing.ts";
import type { ImageFile } from "../../../src/storage/image_file.ts";
import { EIO, SystemError } from "../../../src/sys/errno.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openForWriting } from "../qcow/write/writable_disk.ts";

const UNIT = 4096;

function part(file: ImageFile, tables?: Partial<Tables>): WritablePart {
  return {
    sizeBytes: UNIT,
    writing: {
      files: [file],
      writers: "one",
      place: (guestOffset, lengthBytes, placement) =>
        placement.setDirect(file, guestOffset, lengthBytes),
      ...(tables === undefined ? {} : { tables: tables as Tables }),
    },
  };
}

function withFiles(act: (one: ImageFile, other: ImageFile) => void): void {
  using folder = new TempDirectory();
  const paths = ["one", "other"].map((name) => folder.file(name));
  for (const path of paths) Deno.writeFileSync(path, new Uint8Array(UNIT));
  using one = openForWriting(paths[0] ?? "");
  using other = openForWriting(paths[1] ?? "");
  act(one, other);
}

Deno.test("PartsWriting writes to no part once something of one was lost, if there are tables", () => {
  withFiles((one, other) => {
    const tables = { unitBytes: UNIT, clear: () => UNIT };
    const writing = new PartsWriting([part(one), part(other, tables)], []);
    const placement = new Placement();
    writing.place(0, UNIT, placement);
    assertEquals(writing.tables?.clear(UNIT, UNIT, Cleared.Zeros, placement), UNIT);
    one.syncFailed();
    const refused = [
      (): void => writing.place(UNIT, UNIT, placement),
      (): void => void writing.tables?.clear(UNIT, UNIT, Cleared.Zeros, placement),
    ];
    for (const change of refused) {
      assertEquals(assertThrows(change, SystemError).errno, EIO);
    }
  });
});

Deno.test("PartsWriting without tables leaves it to flushes to tell of what was lost", () => {
  withFiles((one, other) => {
    const writing = new PartsWriting([part(one), part(other)], []);
    one.syncFailed();
    const placement = new Placement();
    writing.place(UNIT, UNIT, placement);
    assertEquals(placement.file, other);
  });
});
