// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertLess, assertThrows } from "@std/assert";
import { HEADER, HEADER_BYTES, KEY_SLOT } from "../../../src/format/luks/layout.ts";
import { luks } from "../../../src/format/luks/mod.ts";
import {
  ImageFormatError,
  SecretError,
  UnsupportedFeatureError,
} from "../../../src/image/errors.ts";
import { keyRing, MAX_ROUNDS_OF_CHAIN } from "../../../src/image/key_ring.ts";
import { IoBuffer } from "../../../src/sys/memory.ts";
import { ReadRequest } from "../../../src/disk/reader.ts";
import { randomNumbers } from "../../support/images.ts";
import { processorMs } from "../../support/patience.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage } from "../opened_image.ts";
import { buildVolume, BUILT_PASSPHRASE, slotOffset } from "./volume_builder.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function opened(folder: TempDirectory, bytes: Bytes): OpenedImage {
  const path = folder.file("volume");
  Deno.writeFileSync(path, bytes);
  return new OpenedImage(path, luks, { readOnly: true, keys: keyRing(BUILT_PASSPHRASE.slice()) });
}

Deno.test("luks opens a volume that was built by hand", () => {
  using folder = new TempDirectory();
  using image = opened(folder, buildVolume());
  assertEquals(image.image.sizeBytes, 3 * 512);
  assertEquals(image.read(0, 3 * 512), new Uint8Array(3 * 512).fill(65));
});

Deno.test("luks counts the work of all images that are unlocked with one passphrase", () => {
  using folder = new TempDirectory();
  const path = folder.file("volume");
  Deno.writeFileSync(path, buildVolume());
  const keys = keyRing(BUILT_PASSPHRASE.slice());
  {
    using _image = new OpenedImage(path, luks, { readOnly: true, keys });
    assert(keys.rounds > 0);
  }
  const rounds = keys.rounds;
  {
    using _again = new OpenedImage(path, luks, { readOnly: true, keys });
    assertEquals(keys.rounds, rounds);
  }
  keys.volumeKeys.clear();
  keys.rounds = MAX_ROUNDS_OF_CHAIN;
  const message = "more key derivation than all images of a chain may take";
  assertThrows(
    () => new OpenedImage(path, luks, { readOnly: true, keys }),
    UnsupportedFeatureError,
    message,
  );
});

Deno.test("luks says what has to be read where reading would wait", () => {
  using folder = new TempDirectory();
  using image = opened(folder, buildVolume());
  Object.defineProperty(image.file, "cacheKnowledge", { value: "unknown" });
  const request = new ReadRequest().into(new IoBuffer(1000), 0);
  const { attempt } = request;
  attempt.mayWait = false;
  assertFalse(image.access.read(request.ask(0, 1000)));
  assertEquals([attempt.missing.hostOffset, attempt.missing.hostBytes], [4 * 512, 512]);
  assertFalse(image.access.read(request.ask(3, 5)));
  assertEquals([attempt.missing.hostOffset, attempt.missing.hostBytes], [4 * 512, 512]);
  attempt.mayWait = true;
  assert(image.access.read(request.ask(100, 1000)));
  assertEquals(request.target?.bytes, new Uint8Array(1000).fill(65));
});

/** Sets a 32-bit field of the header, or of the slot that is in use. */
function field(name: keyof typeof HEADER.offsets, value: number): Bytes {
  const bytes = buildVolume();
  new DataView(bytes.buffer).setUint32(HEADER.offsets[name], value);
  return bytes;
}

function slotField(name: keyof typeof KEY_SLOT.offsets, value: number): Bytes {
  const bytes = buildVolume();
  new DataView(bytes.buffer).setUint32(slotOffset(3) + KEY_SLOT.offsets[name], value);
  return bytes;
}

function textField(name: keyof typeof HEADER.offsets, text: string): Bytes {
  const bytes = buildVolume();
  bytes.fill(0, HEADER.offsets[name], HEADER.offsets[name] + 32);
  bytes.set(new TextEncoder().encode(text), HEADER.offsets[name]);
  return bytes;
}

const LUKS2 = buildVolume();
LUKS2[7] = 2;

const UNSUPPORTED: [says: string, bytes: Bytes][] = [
  ["version 2", LUKS2],
  ["the cipher serpent-ecb-plain64 and a key of 256 bits", textField("cipher_name", "serpent")],
  ["the cipher aes-cbc-benbi and a key", textField("cipher_mode", "cbc-benbi")],
  ["the cipher aes-xts-\x1b[31m and a key", textField("cipher_mode", "xts-\x1b[31m")],
  ["the hash function whirlpool", textField("hash_spec", "whirlpool")],
  ["a key of 264 bits", field("key_bytes", 33)],
  ["a key of 34359738360 bits", field("key_bytes", 0xffffffff)],
  ["key slots that take 4294967297 rounds", slotField("iterations", 0xffffffff)],
  ["key slots that take 4294967297 rounds", field("mk_digest_iter", 0xffffffff)],
];

for (const [says, bytes] of UNSUPPORTED) {
  Deno.test(`luks refuses by name: ${says}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, bytes), UnsupportedFeatureError, says);
  });
}

const DAMAGED: [says: string, bytes: Bytes][] = [
  ["no LUKS volume", new Uint8Array(4096)],
  ["too short for a LUKS header", buildVolume().slice(0, HEADER_BYTES - 1)],
  ["none of its key slots is in use", slotField("active", 0xdead)],
  ["a key slot is damaged", slotField("active", 1)],
  ["a key slot has 0 stripes", slotField("stripes", 0)],
  ["a key slot has 4294967295 stripes", slotField("stripes", 0xffffffff)],
  ["the key material of a slot is not in the file", slotField("stripes", 4000)],
  ["the key material of a slot is not in the file", slotField("key_material_offset", 0)],
  ["the key material of a slot is not in the file", slotField("key_material_offset", 0xffffffff)],
  ["derived by no iteration", slotField("iterations", 0)],
  ["derived by no iteration", field("mk_digest_iter", 0)],
  ["the disk lies in another file", field("payload_offset", 0)],
  ["the disk is not in the file", field("payload_offset", 0xffffffff)],
];

for (const [says, bytes] of DAMAGED) {
  Deno.test(`luks refuses damage: ${says}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, bytes), ImageFormatError, says);
  });
}

const MUTATIONS = 2000;
/** Of processor time. */
const SLOWEST_MS = 1000;

/** High bytes of iteration counts: that an honest count takes long is no fault. */
const SLOW_BYTES = [HEADER.offsets.mk_digest_iter, slotOffset(3) + KEY_SLOT.offsets.iterations]
  .flatMap((at) => [at, at + 1]);

Deno.test("luks survives damaged volumes", () => {
  using folder = new TempDirectory();
  const random = randomNumbers(20_190_102);
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < MUTATIONS; i++) {
    let bytes = buildVolume();
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
      const at = Math.floor(random() * HEADER_BYTES);
      if (!SLOW_BYTES.includes(at)) bytes[at] = random() * 256;
    }
    if (random() < 0.1) bytes = bytes.slice(0, Math.floor(random() * bytes.length));
    const start = processorMs();
    openAndRead(folder, bytes);
    assertLess(processorMs() - start, SLOWEST_MS, `mutation ${i}`);
  }
  assertLess(Deno.memoryUsage().rss - before, 256 * 1024 * 1024);
});

/** Only the errors a damaged volume may cause are caught. */
function openAndRead(folder: TempDirectory, bytes: Bytes): void {
  try {
    using image = opened(folder, bytes);
    const { sizeBytes } = image.image;
    image.read(0, Math.min(sizeBytes, 1000));
  } catch (error) {
    const isExpected = error instanceof ImageFormatError || error instanceof SecretError ||
      error instanceof UnsupportedFeatureError;
    if (!isExpected) throw error;
  }
}
