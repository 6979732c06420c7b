// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readDisk } from "../../support/disk.ts";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { SecretError } from "../../../src/image/errors.ts";
import type { ImageAccess } from "../../../src/disk/image_access.ts";
import { type KeyRing, keyRing } from "../../../src/image/key_ring.ts";
import { openImage } from "../../../src/disk/open.ts";
import type { ImageRequest } from "../../../src/disk/request.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import {
  createEncrypted,
  decryptByQemu,
  fillEncrypted,
  imageOptions,
  PASSPHRASE,
  rightKeys,
  SECRET_OBJECT,
} from "../../support/encrypted.ts";
import { randomNumbers } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { openImageFile, readRange, sameBytes } from "../opened_image.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const TOOLS = ["qemu-img", "qemu-io"] as const;
const KIB = 1024;
const MIB = 1024 * KIB;

const LUKS = ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"];
const AES = ["encrypt.format=aes", "encrypt.key-secret=s"];
const CBC = ["encrypt.cipher-alg=aes-128", "encrypt.cipher-mode=cbc", "encrypt.ivgen-alg=essiv"];

interface Recipe {
  readonly name: string;
  readonly options: readonly string[];
  readonly sizeBytes: number;
}

/** Few with LUKS: making one costs qemu two seconds. */
const RECIPES: readonly Recipe[] = [
  { name: "luks", options: LUKS, sizeBytes: 3 * MIB + 512 },
  {
    name: "luks, cbc, 4 KiB clusters, version 2",
    options: [...LUKS, ...CBC, "encrypt.ivgen-hash-alg=sha256", "cluster_size=4k", "compat=0.10"],
    sizeBytes: MIB + 5 * 512,
  },
  {
    name: "luks, subclusters, allocated in advance",
    options: [...LUKS, "extended_l2=on", "cluster_size=16k", "preallocation=metadata"],
    sizeBytes: 2 * MIB,
  },
  { name: "aes", options: AES, sizeBytes: 3 * MIB + 512 },
  { name: "aes, version 2", options: [...AES, "compat=0.10"], sizeBytes: MIB },
  {
    name: "aes, 512-byte clusters",
    options: [...AES, "cluster_size=512"],
    sizeBytes: 700 * 512,
  },
  { name: "aes, 2 MiB clusters", options: [...AES, "cluster_size=2M"], sizeBytes: 5 * MIB + 512 },
  {
    name: "aes, subclusters",
    options: [...AES, "extended_l2=on", "cluster_size=64k"],
    sizeBytes: 2 * MIB,
  },
];

async function create(path: string, { options, sizeBytes }: Recipe): Promise<void> {
  await createEncrypted(path, sizeBytes, { format: "qcow2", options });
}

function writes(sizeBytes: number, seed: number): string[] {
  const random = randomNumbers(seed);
  const kinds = ["write -P 7", "write -P 201", "write -z", "write -P 90", "discard", "write -z -u"];
  return Array.from({ length: 24 }, (_, index) => {
    const sectors = sizeBytes / 512;
    const start = Math.floor(random() * sectors);
    const count = Math.min(1 + Math.floor(random() * 500), sectors - start);
    return `${kinds[index % kinds.length]} ${start * 512} ${count * 512}`;
  });
}

function open(path: string, keys: KeyRing, more: Partial<ImageRequest> = {}): ImageAccess {
  const request = { format: "QCOW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0, ...more };
  const file = openImageFile(path);
  try {
    return openImage(file, request, { keys });
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function read(access: ImageAccess, offset: number, lengthBytes: number): Uint8Array {
  return readDisk(access, offset, lengthBytes);
}

function checkBytes(access: ImageAccess, rawPath: string): void {
  const { sizeBytes } = access;
  assertEquals(sizeBytes, Deno.statSync(rawPath).size);
  assert(sameBytes(read(access, 0, sizeBytes), readRange(rawPath, 0, sizeBytes)), "all at once");
  const random = randomNumbers(5);
  for (let i = 0; i < 60; i++) {
    const offset = Math.floor(random() * sizeBytes);
    const lengthBytes = Math.min(1 + Math.floor(random() ** 3 * 200_000), sizeBytes - offset);
    const expected = readRange(rawPath, offset, lengthBytes);
    assert(sameBytes(read(access, offset, lengthBytes), expected), `${lengthBytes} at ${offset}`);
  }
}

oracleTest("qcow reads and describes encrypted images as qemu does", TOOLS, async (t) => {
  using folder = new TempDirectory();
  for (const [index, recipe] of RECIPES.entries()) {
    await t.step(recipe.name, async () => {
      const path = folder.file(`${index}.qcow2`);
      await create(path, recipe);
      await fillEncrypted(path, "qcow2", writes(recipe.sizeBytes, index));
      await decryptByQemu(path, "qcow2", `${path}.raw`);
      using access = open(path, rightKeys());
      checkBytes(access, `${path}.raw`);
      await checkInfo(path);
    });
  }
});

async function checkInfo(path: string): Promise<void> {
  const info = JSON.parse(await must("qemu-img", "info", "-f", "qcow2", "--output=json", path));
  using file = openImageFile(path);
  const told = qcow.info?.(file);
  assertEquals(told?.encrypted, info.encrypted);
  assertEquals(told?.specific?.data, info["format-specific"].data);
}

oracleTest("qcow reads snapshots of encrypted images as qemu does", TOOLS, async () => {
  using folder = new TempDirectory();
  for (const options of [LUKS, AES]) {
    const path = folder.file(`snapshot.qcow2`);
    await create(path, { name: "", options, sizeBytes: 2 * MIB });
    await fillEncrypted(path, "qcow2", writes(2 * MIB, 1));
    const name = ["--image-opts", imageOptions(path, "qcow2")];
    await must("qemu-img", "snapshot", ...SECRET_OBJECT, "-c", "before", ...name);
    await fillEncrypted(path, "qcow2", writes(2 * MIB, 2));
    const rawPath = `${path}.raw`;
    const snapshot = ["-l", "snapshot.name=before", "-O", "raw"];
    await must("qemu-img", "convert", ...SECRET_OBJECT, ...snapshot, ...name, rawPath);
    using access = open(path, rightKeys(), { snapshot: "before" });
    checkBytes(access, rawPath);
  }
});

oracleTest("qcow opens a whole chain with one passphrase", TOOLS, async () => {
  using folder = new TempDirectory();
  const [base, top] = [folder.file("base.qcow2"), folder.file("top.qcow2")];
  await create(base, { name: "", options: AES, sizeBytes: MIB });
  await fillEncrypted(base, "qcow2", writes(MIB, 3));
  const options = [...LUKS, "backing_fmt=qcow2", `backing_file=${base}`];
  await createEncrypted(top, 2 * MIB, { format: "qcow2", options, unchecked: true });
  const backing = `backing.driver=qcow2,backing.encrypt.key-secret=s,backing.file.filename=${base}`;
  const name = ["--image-opts", `${imageOptions(top, "qcow2")},${backing}`];
  const commands = writes(2 * MIB, 4).flatMap((line) => ["-c", line]);
  await must("qemu-io", ...SECRET_OBJECT, ...commands, ...name);
  await must("qemu-img", "convert", ...SECRET_OBJECT, "-O", "raw", ...name, `${top}.raw`);
  const keys = rightKeys();
  using access = open(top, keys);
  checkBytes(access, `${top}.raw`);
  using again = open(top, structuredClone({ ...keys, passphrase: undefined }));
  checkBytes(again, `${top}.raw`);
});

oracleTest("qcow decrypts an external data file as qemu does", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("image.qcow2");
  const options = [...LUKS, `data_file=${folder.file("data")}`];
  await create(path, { name: "", options, sizeBytes: MIB });
  await fillEncrypted(path, "qcow2", writes(MIB, 6));
  await decryptByQemu(path, "qcow2", `${path}.raw`);
  using access = open(path, rightKeys());
  checkBytes(access, `${path}.raw`);
});

oracleTest("qcow says which passphrase it wants", TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("image.qcow2");
  await create(path, { name: "", options: LUKS, sizeBytes: MIB });
  assertThrows(() => open(path, keyRing()), SecretError, "--key-file");
  const wrong = new TextEncoder().encode(PASSPHRASE.slice(1));
  assertThrows(() => open(path, keyRing(wrong)), SecretError, "does not unlock");
});
