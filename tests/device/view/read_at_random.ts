/**
 * Reading a device as no program would.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { randomNumbers } from "../../support/images.ts";

const KIB = 1024;

/** Reads of any alignment and length, through the page cache: they have to be those of a raw disk. */
export async function readAtRandom(path: string, raw: string, seed: number): Promise<void> {
  const expected = await Deno.readFile(raw);
  using device = await Deno.open(path);
  const random = randomNumbers(seed);
  for (let count = 0; count < 40; count++) {
    const offset = Math.floor(random() * expected.length);
    const wanted = 1 + Math.floor(random() ** 6 * 256 * KIB);
    const bytes = new Uint8Array(Math.min(wanted, expected.length - offset));
    await device.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      const read = await device.read(bytes.subarray(done));
      if (read === null) break;
      done += read;
    }
    const slice = expected.subarray(offset, offset + bytes.length);
    assert(bytes.every((byte, at) => byte === slice[at]), `${bytes.length} at ${offset}`);
  }
}
