// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readDisk } from "../../support/disk.ts";
import { qcow1 } from "../../../src/format/qcow1/mod.ts";
import { ImageFormatError, RelatedFileError, SecretError } from "../../../src/image/errors.ts";
import { openImage } from "../../../src/disk/open.ts";
import { PASSPHRASE, rightKeys, SECRET_OBJECT } from "../../support/encrypted.ts";
import { IMAGE_TOOLS } from "../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";

const MIB = 1024 * 1024;
const REQUEST = { format: "QCOW1", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

/** What qemu reads of an image, which is converted by `qemu-img convert` with `args`. */
async function asRaw(folder: TempDirectory, ...args: string[]): Promise<Uint8Array> {
  const raw = folder.file("converted.raw");
  await must("qemu-img", "convert", ...args, "-O", "raw", raw);
  return readRange(raw, 0, Deno.statSync(raw).size);
}

oracleTest("qcow1 shows its backing file, whose format has to be named", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const base = folder.file("base.qcow2");
  const top = folder.file("top.qcow");
  const fill = ["-c", "write -P 1 0 300k", "-c", "write -P 2 1M 700k"];
  await must("qemu-img", "create", "-q", "-f", "qcow2", base, `${2 * MIB}`);
  await must("qemu-io", "-f", "qcow2", ...fill, base);
  await must(
    "qemu-img",
    "create",
    "-q",
    "-f",
    "qcow",
    "-b",
    "base.qcow2",
    "-F",
    "qcow2",
    top,
    "3M",
  );
  const writes = ["-c", "write -P 3 100k 5k", "-c", "write -P 4 2000k 300k"];
  // qemu takes the format of a backing file from its content here
  await must("qemu-io", "-f", "qcow", ...writes, top);
  const expected = await asRaw(folder, "-f", "qcow", top);
  const open = (more: { backingFormat?: string; noBacking?: boolean }): Uint8Array => {
    using access = openImage(openImageFile(top), { ...REQUEST, ...more });
    assertEquals(access.sizeBytes, 3 * MIB);
    return readDisk(access, 0, 3 * MIB);
  };
  assert(sameBytes(open({ backingFormat: "QCOW" }), expected));
  const alone = open({ noBacking: true });
  assertEquals([alone[0], alone[100 * 1024]], [0, 3]);
  using file = openImageFile(top);
  const error = assertThrows(() => openImage(file, REQUEST), RelatedFileError);
  assertStringIncludes(error.message, "--backing-fmt");
  assertEquals(qcow1.info?.(openImageFile(top)).backing, { name: "base.qcow2", format: undefined });
});

oracleTest("qcow1 decrypts with the right passphrase", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("secret.qcow");
  const options = ["-o", "encrypt.format=aes,encrypt.key-secret=s"];
  await must(
    "qemu-img",
    "create",
    "-q",
    "-f",
    "qcow",
    ...SECRET_OBJECT,
    ...options,
    path,
    `${MIB}`,
  );
  const source = `driver=qcow,encrypt.key-secret=s,file.filename=${path}`;
  const fill = ["-c", "write -P 7 0 20k", "-c", "write -P 8 100k 3k", "-c", "write -P 9 1000k 24k"];
  await must("qemu-io", ...SECRET_OBJECT, "--image-opts", ...fill, source);
  const expected = await asRaw(folder, ...SECRET_OBJECT, "--image-opts", source);
  using image = new OpenedImage(path, qcow1, { readOnly: true, keys: rightKeys() });
  assert(sameBytes(image.read(0, MIB), expected), PASSPHRASE);
  assertEquals(image.read(102_403, 2), Uint8Array.of(8, 8));
  assertThrows(() => new OpenedImage(path, qcow1), SecretError);
  assertEquals(qcow1.info?.(image.file).encrypted, true);
  assertThrows(() => new OpenedImage(folder.file("converted.raw"), qcow1), ImageFormatError);
});
