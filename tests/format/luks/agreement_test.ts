// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { luks } from "../../../src/format/luks/mod.ts";
import { SecretError } from "../../../src/image/errors.ts";
import { keyRing } from "../../../src/image/key_ring.ts";
import { Extent } from "../../../src/image/mapping.ts";
import {
  createEncrypted,
  decryptByQemu,
  fillEncrypted,
  imageOptions,
  makeVolume,
  PASSPHRASE,
  rightKeys,
  SECRET_OBJECT,
  secretObject,
} from "../../support/encrypted.ts";
import { randomNumbers } from "../../support/images.ts";
import { must, mustDeriveKey, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, readRange, sameBytes } from "../opened_image.ts";

const TOOLS = ["qemu-img", "qemu-io"] as const;
const KIB = 1024;
const SIZE = 300 * KIB + 1536;
const COMMANDS = ["write -P 7 0 64k", "write -P 200 65k 100k", "write -P 3 299k 2k"];

function opened(path: string, keys = rightKeys()): OpenedImage {
  return new OpenedImage(path, luks, { readOnly: true, keys });
}

/** The whole disk at once, then some ranges that begin and end anywhere. */
function checkBytes(image: OpenedImage, rawPath: string): void {
  const { sizeBytes } = image.image;
  assertEquals(sizeBytes, Deno.statSync(rawPath).size);
  assert(sameBytes(image.read(0, sizeBytes), readRange(rawPath, 0, sizeBytes)), "the whole disk");
  const random = randomNumbers(5);
  for (let i = 0; i < 60; i++) {
    const offset = Math.floor(random() * sizeBytes);
    const lengthBytes = Math.min(1 + Math.floor(random() ** 3 * 5000), sizeBytes - offset);
    const same = sameBytes(
      image.read(offset, lengthBytes),
      readRange(rawPath, offset, lengthBytes),
    );
    assert(same, `${lengthBytes} bytes at ${offset}`);
  }
}

/** Few of what qemu 7.2 makes, for each costs it two seconds of finding out how fast it is. */
const COMBINATIONS = [
  { cipher: "aes-128", mode: "xts", iv: "plain", hash: "sha1" },
  { cipher: "aes-256", mode: "cbc", iv: "essiv", hash: "sha512" },
  { cipher: "aes-192", mode: "xts", iv: "essiv", hash: "ripemd160" },
  { cipher: "aes-256", mode: "ecb", iv: "plain64", hash: "md5" },
];

oracleTest("luks reads and describes what qemu makes", TOOLS, async (t) => {
  using folder = new TempDirectory();
  for (const { cipher, mode, iv, hash } of COMBINATIONS) {
    const ivHash = iv === "essiv" ? ["ivgen-hash-alg=sha256"] : [];
    await t.step(`${cipher}-${mode}-${iv} ${hash}`, async () => {
      const path = folder.file(`${cipher}-${mode}.luks`);
      const ciphers = [`cipher-alg=${cipher}`, `cipher-mode=${mode}`, `ivgen-alg=${iv}`, ...ivHash];
      const options = ["key-secret=s", "iter-time=10", `hash-alg=${hash}`, ...ciphers];
      await createEncrypted(path, SIZE, { format: "luks", options });
      await fillEncrypted(path, "luks", COMMANDS);
      const rawPath = `${path}.raw`;
      await decryptByQemu(path, "luks", rawPath);
      using image = opened(path);
      checkBytes(image, rawPath);
      const info = JSON.parse(await must("qemu-img", "info", "-f", "luks", "--output=json", path));
      const told = luks.info?.(image.file);
      assertEquals(told?.specific?.data, info["format-specific"].data);
      assertEquals(told?.sizeBytes, info["virtual-size"]);
      Deno.removeSync(path);
      Deno.removeSync(rawPath);
    });
  }
});

async function create(path: string, options: readonly string[] = []): Promise<void> {
  const all = ["key-secret=s", "iter-time=10", ...options];
  await createEncrypted(path, SIZE, { format: "luks", options: all });
}

oracleTest("luks opens any of a volume's key slots", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("slots.luks");
  await create(path);
  const others = ["", "second", "x".repeat(100)];
  for (const [index, passphrase] of others.entries()) {
    await amend(path, index + 2, passphrase);
  }
  for (const passphrase of [PASSPHRASE, ...others]) {
    using image = opened(path, keyRing(new TextEncoder().encode(passphrase)));
    assertEquals(image.read(0, 1).length, 1);
  }
  const wrong = (): OpenedImage => opened(path, keyRing(new TextEncoder().encode("secon")));
  assertThrows(wrong, SecretError, "does not unlock");
});

/** Sets one more passphrase. */
async function amend(path: string, slot: number, passphrase: string): Promise<void> {
  const secret = ["--object", secretObject("new", passphrase)];
  const options = `state=active,new-secret=new,keyslot=${slot},iter-time=10`;
  const name = ["--image-opts", imageOptions(path, "luks"), "-o", options];
  await mustDeriveKey("qemu-img", "amend", ...SECRET_OBJECT, ...secret, ...name);
}

oracleTest("luks says which passphrase it wants", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("one.luks");
  await create(path);
  const open = (passphrase?: Uint8Array): OpenedImage => opened(path, keyRing(passphrase));
  const bytes = new TextEncoder();
  assertThrows(() => open(), SecretError, "--key-file");
  assertThrows(() => open(new Uint8Array(0)), SecretError, "does not unlock");
  assertThrows(() => open(bytes.encode(`${PASSPHRASE}\n`)), SecretError, "line feed");
});

oracleTest("luks opens a volume once more without its passphrase", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("again.luks");
  await create(path);
  await fillEncrypted(path, "luks", COMMANDS);
  const keys = rightKeys();
  using first = opened(path, keys);
  keys.passphrase = undefined;
  using second = opened(path, structuredClone(keys));
  assert(sameBytes(first.read(0, SIZE), second.read(0, SIZE)));
});

oracleTest("luks maps everything as sealed", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("map.luks");
  await create(path);
  using image = opened(path);
  const [run, ...more] = [...image.extents(100, 2000)];
  assertEquals(more, []);
  assertEquals(run?.mapping.kind, Extent.Sealed);
  assertEquals([run?.mapping.lengthBytes, run?.mapping.firstSector], [2000, 0]);
  assertEquals((run?.mapping.hostOffset ?? 1) % 512, 100);
});

const CRYPTSETUP_CIPHERS = [
  ["aes-xts-plain64", "512", "sha256"],
  ["aes-xts-plain64", "256", "sha384"],
  ["aes-xts-plain", "256", "sha1"],
  ["aes-xts-essiv:sha256", "512", "sha224"],
  ["aes-cbc-essiv:sha256", "256", "sha512"],
  ["aes-cbc-essiv:sha256", "128", "ripemd160"],
  ["aes-cbc-plain", "128", "sha256"],
  ["aes-cbc-plain64", "256", "sha256"],
  ["aes-cbc-plain64", "192", "sha256"],
  ["aes-ecb", "256", "sha256"],
];

for (const [cipher = "", bits = "", hash = ""] of CRYPTSETUP_CIPHERS) {
  const name = `luks reads what cryptsetup makes as qemu does: ${cipher} ${bits} ${hash}`;
  oracleTest(name, ["cryptsetup", ...TOOLS], async () => {
    using folder = new TempDirectory();
    const path = folder.file("volume");
    await makeVolume(path, { sizeBytes: 4 * KIB * KIB + 3 * 512, cipher, keyBits: bits, hash });
    // which qemu cannot read: that the key is found is all that can be seen
    const qemuReads = bits !== "192" && !cipher.endsWith("ecb");
    if (qemuReads) await fillEncrypted(path, "luks", COMMANDS);
    using image = opened(path);
    if (!qemuReads) return;
    await decryptByQemu(path, "luks", `${path}.raw`);
    checkBytes(image, `${path}.raw`);
  });
}
