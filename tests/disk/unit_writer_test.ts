// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { UnitWriter } from "../../src/disk/unit_writer.ts";
import type { ReadRequest } from "../../src/disk/reader.ts";
import { Placement, type Tables } from "../../src/image/writing.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";

openLibc();

const UNIT = 4096;
const DISK_BYTES = 10 * UNIT - 512;
const OLD = 7;
const NEW = 9;

/** What is read and written for a write of a part of unit number 2, or of the last one. */
function written(unit: number, headBytes: number, lengthBytes: number): {
  readonly reads: number[];
  readonly bytes: Uint8Array;
} {
  const reads: number[] = [];
  const reader = {
    read: ({ target, position, lengthBytes: count }: ReadRequest): boolean => {
      reads.push(count);
      target?.bytes.fill(OLD, position, position + count);
      return true;
    },
  };
  let bytes = new Uint8Array(0);
  const file = {
    write: (source: IoBuffer, position: number, _hostOffset: number, count: number): void => {
      bytes = source.bytes.slice(position, position + count);
    },
  };
  const placement = new Placement();
  const tables: Pick<Tables, "reserve" | "settle"> = {
    reserve: (): boolean => {
      placement.file = file as unknown as ImageFile;
      placement.hostOffset = headBytes;
      return true;
    },
    settle: () => {},
  };
  placement.guestOffset = unit * UNIT + headBytes;
  placement.setFresh(headBytes, lengthBytes, UNIT - headBytes - lengthBytes);
  const source = new IoBuffer(UNIT);
  source.bytes.fill(NEW);
  new UnitWriter(tables as unknown as Tables, { reader, sizeBytes: DISK_BYTES })
    .write(placement, source, 0);
  return { reads, bytes };
}

function expected(headBytes: number, lengthBytes: number, oldBytes: number): Uint8Array {
  const bytes = new Uint8Array(UNIT).fill(OLD, 0, oldBytes);
  return bytes.fill(NEW, headBytes, headBytes + lengthBytes);
}

Deno.test("UnitWriter.write() reads once what lies around a few bytes", () => {
  const { reads, bytes } = written(2, 1000, 500);
  assertEquals(reads, [UNIT]);
  assertEquals(bytes, expected(1000, 500, UNIT));
});

Deno.test("UnitWriter.write() does not read what it has most of", () => {
  const { reads, bytes } = written(2, 512, 3000);
  assertEquals(reads, [512, UNIT - 3512]);
  assertEquals(bytes, expected(512, 3000, UNIT));
});

Deno.test("UnitWriter.write() reads on one side only, if that is all there is", () => {
  assertEquals(written(2, 0, 100).reads, [UNIT - 100]);
  assertEquals(written(2, UNIT - 100, 100).reads, [UNIT - 100]);
});

Deno.test("UnitWriter.write() has zeros behind the end of the disk", () => {
  const { reads, bytes } = written(9, 1000, 500);
  assertEquals(reads, [UNIT - 512]);
  assertEquals(bytes, expected(1000, 500, UNIT - 512));
});
