/**
 * The keys of the disks of an image, as one daemon leaves them to the next: in memory that nobody can
 * change, and that is no file of any file system. No passphrase is among them, and none is asked for again.
 *
 *     [["what a header says of a key", 64],…] 0 keys
 *
 * @module
 */
import { type KeyRing, keyRing } from "../image/key_ring.ts";
import { sealedMemoryFile } from "../kernel/memory_file.ts";
import { type Fd, readBytes } from "../sys/files.ts";
import { joined } from "../sys/joined.ts";
import { libc } from "../sys/libc.ts";
import { makeSecret, secretBytes } from "../sys/secret.ts";

const NAME = "tslosetup-keys";
const END_OF_TEXT = 0;
const SEEK_SET = 0;

/**
 * Puts keys into such a file.
 *
 * @returns undefined if there are none
 * @throws {SystemError} as memfd_create(2)
 */
export function makeKeyFile({ volumeKeys }: KeyRing): Fd | undefined {
  if (volumeKeys.size === 0) return undefined;
  const lengths = [...volumeKeys].map(([name, { lengthBytes }]) => [name, lengthBytes]);
  const text = new TextEncoder().encode(JSON.stringify(lengths));
  const keys = [...volumeKeys.values()].map(secretBytes);
  const content = new Uint8Array(joined([text, Uint8Array.of(END_OF_TEXT), ...keys]));
  try {
    return sealedMemoryFile(NAME, content);
  } finally {
    content.fill(0);
  }
}

/** The keys in such a file, which stays the caller's; no keys without one. */
export function readKeyFile(fd: number | undefined): KeyRing {
  const ring = keyRing();
  if (fd === undefined) return ring;
  libc().lseek(fd, 0, SEEK_SET);
  const content = readBytes(fd, {});
  const end = content.indexOf(END_OF_TEXT);
  const lengths = JSON.parse(new TextDecoder().decode(content.subarray(0, end)));
  let at = end + 1;
  for (const [name, lengthBytes] of lengths as [string, number][]) {
    const place = makeSecret(lengthBytes);
    secretBytes(place).set(content.subarray(at, at += lengthBytes));
    ring.volumeKeys.set(name, place);
  }
  content.fill(0);
  return ring;
}
