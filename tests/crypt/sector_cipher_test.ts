// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { createCipheriv, createHash } from "node:crypto";
import { parseCipher, SECTOR_BYTES, SectorCipher } from "../../src/crypt/sector_cipher.ts";

type Bytes = Uint8Array;

function hex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

/** The bytes 0 to 255, twice: the plaintext of the vectors for units of 512 bytes. */
const PLAIN = Uint8Array.from({ length: SECTOR_BYTES }, (_, index) => index & 0xff);

/** IEEE Std 1619-2007, annex B. */
const IEEE_1619 = [
  {
    name: "vector 4 (128 bits, unit 0)",
    key: "2718281828459045235360287471352631415926535897932384626433832795",
    unit: 0,
    stored: "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c" +
      "c78cf7f5e543445f8333d8fa7f56000005279fa5d8b5e4ad40e736ddb4d35412" +
      "328063fd2aab53e5ea1e0a9f332500a5df9487d07a5c92cc512c8866c7e860ce" +
      "93fdf166a24912b422976146ae20ce846bb7dc9ba94a767aaef20c0d61ad0265" +
      "5ea92dc4c4e41a8952c651d33174be51a10c421110e6d81588ede82103a252d8" +
      "a750e8768defffed9122810aaeb99f9172af82b604dc4b8e51bcb08235a6f434" +
      "1332e4ca60482a4ba1a03b3e65008fc5da76b70bf1690db4eae29c5f1badd03c" +
      "5ccf2a55d705ddcd86d449511ceb7ec30bf12b1fa35b913f9f747a8afd1b130e" +
      "94bff94effd01a91735ca1726acd0b197c4e5b03393697e126826fb6bbde8ecc" +
      "1e08298516e2c9ed03ff3c1b7860f6de76d4cecd94c8119855ef5297ca67e9f3" +
      "e7ff72b1e99785ca0a7e7720c5b36dc6d72cac9574c8cbbc2f801e23e56fd344" +
      "b07f22154beba0f08ce8891e643ed995c94d9a69c9f1b5f499027a78572aeebd" +
      "74d20cc39881c213ee770b1010e4bea718846977ae119f7a023ab58cca0ad752" +
      "afe656bb3c17256a9f6e9bf19fdd5a38fc82bbe872c5539edb609ef4f79c203e" +
      "bb140f2e583cb2ad15b4aa5b655016a8449277dbd477ef2c8d6c017db738b18d" +
      "eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568",
  },
  {
    name: "vector 10 (256 bits, unit 0xff)",
    key: "2718281828459045235360287471352662497757247093699959574966967627" +
      "3141592653589793238462643383279502884197169399375105820974944592",
    unit: 0xff,
    stored: "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b" +
      "5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd" +
      "5776926c49a3095eb108fd1098baec70aaa66999a72a82f27d848b21d4a741b0" +
      "c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf1000020887891429ca" +
      "2a3e7a7d7df7b10355165c8b9a6d0a7de8b062c4500dc4cd120c0f7418dae3d0" +
      "b5781c34803fa75421c790dfe1de1834f280d7667b327f6c8cd7557e12ac3a0f" +
      "93ec05c52e0493ef31a12d3d9260f79a289d6a379bc70c50841473d1a8cc81ec" +
      "583e9645e07b8d9670655ba5bbcfecc6dc3966380ad8fecb17b6ba02469a020a" +
      "84e18e8f84252070c13e9f1f289be54fbc481457778f616015e1327a02b140f1" +
      "505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae" +
      "9be69a2ffeceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29" +
      "a9abc3d4d893927284c58754cce294529f8614dcd2aba991925fedc4ae74ffac" +
      "6e333b93eb4aff0479da9a410e4450e0dd7ae4c6e2910900575da401fc07059f" +
      "645e8b7e9bfdef33943054ff84011493c27b3429eaedb4ed5376441a77ed4385" +
      "1ad77f16f541dfd269d50d6a5f14fb0aab1cbb4c1550be97f7ab4066193c4caa" +
      "773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151",
  },
];

for (const { name, key, unit, stored } of IEEE_1619) {
  Deno.test(`SectorCipher.decrypt() does XTS as IEEE 1619, ${name}`, () => {
    const bytes = hex(stored);
    using cipher = cipherOf("xts-plain64", hex(key));
    cipher.decrypt(bytes, unit);
    assertEquals(bytes, PLAIN);
  });
}

function cipherOf(mode: string, key: Bytes): SectorCipher {
  const spec = parseCipher("aes", mode, key.length);
  if (spec === undefined) throw new Error(`${mode} with ${key.length} bytes`);
  return new SectorCipher(spec, key);
}

/** The initialization vector of a sector, the simple way. */
function vector(mode: string, key: Bytes, sector: number): Bytes {
  const iv = new Uint8Array(16);
  const view = new DataView(iv.buffer);
  if (mode.endsWith("plain")) view.setUint32(0, Number(BigInt(sector) & 0xffffffffn), true);
  else view.setBigUint64(0, BigInt(sector), true);
  if (!mode.includes("essiv")) return iv;
  const salt = createHash(mode.split(":")[1] ?? "").update(key).digest();
  return block(salt, iv);
}

function block(key: Bytes, bytes: Bytes): Bytes {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  const blocks = cipher.update(bytes);
  cipher.final();
  return blocks;
}

/** Encrypts one sector, block by block, with numbers of 128 bits. */
function encryptXts(key: Bytes, iv: Bytes, sector: Bytes): Bytes {
  const half = key.length / 2;
  const stored = new Uint8Array(sector.length);
  let tweak = numberOf(block(key.subarray(half), iv));
  for (let at = 0; at < sector.length; at += 16) {
    const masked = bytesOf(numberOf(sector.subarray(at, at + 16)) ^ tweak);
    stored.set(bytesOf(numberOf(block(key.subarray(0, half), masked)) ^ tweak), at);
    tweak <<= 1n;
    if (tweak >> 128n) tweak ^= (1n << 128n) | 0x87n;
  }
  return stored;
}

function numberOf(bytes: Bytes): bigint {
  return bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

function bytesOf(number: bigint): Bytes {
  return Uint8Array.from(
    { length: 16 },
    (_, index) => Number((number >> BigInt(8 * index)) & 255n),
  );
}

function encryptCbc(key: Bytes, iv: Bytes, sector: Bytes): Bytes {
  const stored = new Uint8Array(sector.length);
  let last = iv;
  for (let at = 0; at < sector.length; at += 16) {
    const masked = Uint8Array.from(last, (byte, index) => byte ^ (sector[at + index] ?? 0));
    last = block(key, masked);
    stored.set(last, at);
  }
  return stored;
}

function encrypt(mode: string, key: Bytes, first: number, bytes: Bytes): Bytes {
  const stored = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const iv = vector(mode, key, first + at / SECTOR_BYTES);
    const how = mode.startsWith("xts") ? encryptXts : encryptCbc;
    stored.set(how(key, iv, bytes.subarray(at, at + SECTOR_BYTES)), at);
  }
  return stored;
}

const IVS = ["plain", "plain64", "essiv:sha256", "essiv:md5"];
const MODES = IVS.flatMap((iv) => [`xts-${iv}`, `cbc-${iv}`]);

for (const mode of MODES) {
  Deno.test(`SectorCipher undoes and does ${mode} for any key, sectors and contents`, () => {
    const keys = fc.constantFrom(16, 24, 32)
      .map((bytes) => mode.startsWith("xts") ? bytes * 2 : bytes)
      .chain((bytes) => fc.uint8Array({ minLength: bytes, maxLength: bytes }));
    const first = fc.oneof(
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 }),
      fc.integer({ min: 0, max: 2 ** 44 }),
    );
    const property = fc.property(keys, first, fc.integer({ min: 1, max: 5 }), (key, sector, n) => {
      const bytes = Uint8Array.from({ length: n * SECTOR_BYTES }, (_, i) => (i * i + n) >> 3);
      const stored = encrypt(mode, key, sector, bytes);
      using cipher = cipherOf(mode, key);
      const clear = stored.slice();
      cipher.decrypt(clear, sector);
      assertEquals(clear, bytes);
      cipher.encrypt(clear, sector);
      assertEquals(clear, stored);
    });
    fc.assert(property, { numRuns: 30 });
  });
}

Deno.test("SectorCipher goes on counting from run to run", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  const bytes = Uint8Array.from({ length: 300 * SECTOR_BYTES }, (_, i) => i >> 7);
  for (const mode of ["xts-plain64", "cbc-essiv:sha256"]) {
    const stored = encrypt(mode, key, 2 ** 32 - 100, bytes);
    using cipher = cipherOf(mode, key);
    const clear = stored.slice();
    cipher.decrypt(clear, 2 ** 32 - 100);
    assertEquals(clear, bytes);
    cipher.encrypt(clear, 2 ** 32 - 100);
    assertEquals(clear, stored);
  }
});

Deno.test("SectorCipher.decrypt() does without chaining what ECB is", () => {
  const key = Uint8Array.from({ length: 24 }, (_, index) => index);
  const stored = block(key, PLAIN);
  using cipher = cipherOf("ecb-plain64", key);
  cipher.decrypt(stored, 7);
  assertEquals(new Uint8Array(stored), PLAIN);
});

Deno.test("parseCipher() knows what is known, and nothing else", () => {
  assertEquals(parseCipher("aes", "xts-plain64", 64), {
    mode: "xts",
    iv: "plain64",
    ivHash: "",
    keyBytes: 64,
  });
  assertEquals(parseCipher("aes", "cbc-essiv:sha256", 16)?.ivHash, "sha256");
  assertEquals(parseCipher("aes", "ecb", 16)?.mode, "ecb");
  const unknown = [
    ["serpent", "xts-plain64", 64],
    ["aes", "xts-plain64", 63],
    ["aes", "xts-plain64", 16],
    ["aes", "cbc-plain64", 64],
    ["aes", "cbc", 32],
    ["aes", "cbc-benbi", 32],
    ["aes", "lrw-benbi", 32],
    ["aes", "cbc-essiv", 32],
    ["aes", "cbc-essiv:sha1", 32],
    ["aes", "cbc-essiv:sha512", 32],
    ["aes", "cbc-essiv:nothing", 32],
    ["aes", "cbc-plain64-plain", 32],
    ["", "", 0],
  ] as const;
  for (const [cipher, mode, keyBytes] of unknown) {
    assertEquals(parseCipher(cipher, mode, keyBytes), undefined, `${cipher}-${mode} ${keyBytes}`);
  }
});
