// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { openImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import { ReadRequest } from "../../src/disk/reader.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("an image that is padded reads as zeros behind its end, up to a whole block", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  Deno.writeFileSync(path, new Uint8Array(5000).fill(7));
  const { file } = openImageFile(path, { readOnly: true });
  const request = { format: "RAW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 } as const;
  using access = openImage(file, { ...request, paddedToBytes: 4096 });
  assertEquals(access.sizeBytes, 8192);
  const buffer = new IoBuffer(8192);
  buffer.bytes.fill(1);
  access.read(new ReadRequest().ask(0, 8192).into(buffer, 0));
  assertEquals(buffer.bytes, new Uint8Array(8192).fill(7, 0, 5000));
});
