/**
 * Encrypted images made by qemu's tools.
 *
 * @module
 */
import { keyRing } from "../../src/image/key_ring.ts";
import type { KeyRing } from "../../src/image/key_ring.ts";
import { must, mustDeriveKey } from "./tools.ts";

/** The passphrase of every image made here. */
export const PASSPHRASE = "correct horse, battery staple";

/** What qemu's tools have to be told before an image of theirs can be named with `key-secret=s`. */
export const SECRET_OBJECT: readonly string[] = ["--object", secretObject("s", PASSPHRASE)];

/** The argument that makes `passphrase` known as `id`; commas are doubled, as everywhere there. */
export function secretObject(id: string, passphrase: string): string {
  return `secret,id=${id},data=${passphrase.replaceAll(",", ",,")}`;
}

/** A key ring with {@link PASSPHRASE}. */
export function rightKeys(): KeyRing {
  return keyRing(new TextEncoder().encode(PASSPHRASE));
}

/** Formats that qemu encrypts, as it names them. */
export type EncryptedFormat = "luks" | "qcow" | "qcow2";

/** What `qemu-img create` is to make. */
export interface EncryptedRecipe {
  readonly format: EncryptedFormat;
  /** For `-o`. */
  readonly options: readonly string[];
  /** Whether not to open the backing file, which `qemu-img create` could not decrypt. */
  readonly unchecked?: boolean;
}

/** The folder in which a run of tests keeps encrypted images: to derive a key takes qemu seconds. */
export const KEPT_IMAGES = "TSLOSETUP_TEST_KEPT_IMAGES";
/** What is larger is not kept. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;

/** `qemu-img create` of an encrypted image, or a copy of one that was made in the same way. */
export async function createEncrypted(
  path: string,
  sizeBytes: number,
  recipe: EncryptedRecipe,
): Promise<void> {
  const folder = Deno.env.get(KEPT_IMAGES);
  if (folder === undefined) return await createAnew(path, sizeBytes, recipe);
  const kept = `${folder}/${await digestOf(JSON.stringify([sizeBytes, recipe]))}`;
  try {
    Deno.copyFileSync(kept, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await createAnew(path, sizeBytes, recipe);
    if (Deno.statSync(path).size <= MOST_KEPT_BYTES) keep(path, kept);
  }
}

/** As a whole or not at all: others look for it at the same time. */
function keep(path: string, kept: string): void {
  const unfinished = `${kept}-${Deno.pid}`;
  Deno.copyFileSync(path, unfinished);
  Deno.renameSync(unfinished, kept);
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

async function createAnew(
  path: string,
  sizeBytes: number,
  { format, options, unchecked }: EncryptedRecipe,
): Promise<void> {
  const first = ["create", "-q", ...(unchecked ? ["-u"] : []), "-f", format];
  const args = [...first, ...SECRET_OBJECT, "-o", options.join(",")];
  await mustDeriveKey("qemu-img", ...args, path, `${sizeBytes}`);
}

/** How qemu's tools name an encrypted image, behind `--image-opts`. */
export function imageOptions(path: string, format: EncryptedFormat): string {
  const secret = format === "luks" ? "key-secret=s" : "encrypt.key-secret=s";
  return `driver=${format},${secret},file.filename=${path}`;
}

/** Has qemu-io execute `commands` on an encrypted image. */
export async function fillEncrypted(
  path: string,
  format: EncryptedFormat,
  commands: readonly string[],
): Promise<void> {
  const lines = commands.flatMap((line) => ["-c", line]);
  const name = ["--image-opts", imageOptions(path, format)];
  await must("qemu-io", "-t", "unsafe", ...SECRET_OBJECT, ...lines, ...name);
}

/** Has qemu-img decrypt an image to a raw file. */
export async function decryptByQemu(
  path: string,
  format: EncryptedFormat,
  rawPath: string,
): Promise<void> {
  const name = ["--image-opts", imageOptions(path, format)];
  await must("qemu-img", "convert", ...SECRET_OBJECT, "-O", "raw", ...name, rawPath);
}

/** How cryptsetup is to make a volume. */
export interface VolumeRecipe {
  readonly sizeBytes: number;
  readonly cipher?: string;
  readonly keyBits?: string;
  readonly hash?: string;
  readonly iterations?: number;
}

/** Makes a LUKS1 volume with {@link PASSPHRASE} in a new file, and its key file beside it. */
export async function makeVolume(path: string, recipe: VolumeRecipe): Promise<void> {
  const { cipher = "aes-xts-plain64", keyBits = "512", hash = "sha256" } = recipe;
  Deno.writeTextFileSync(path, "");
  Deno.truncateSync(path, recipe.sizeBytes);
  Deno.writeTextFileSync(keyFileOf(path), PASSPHRASE);
  const kind = ["--type", "luks1", "--cipher", cipher, "--key-size", keyBits, "--hash", hash];
  const cost = ["--pbkdf-force-iterations", `${recipe.iterations ?? 1000}`, "--key-slot", "5"];
  const files = [path, keyFileOf(path)];
  await must("cryptsetup", "luksFormat", "--batch-mode", ...kind, ...cost, ...files);
}

/** The key file that {@link makeVolume} makes. */
export function keyFileOf(path: string): string {
  return `${path}.key`;
}
