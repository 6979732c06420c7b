/**
 * What unlocks encrypted images.
 *
 * @module
 */
import { secretBytes, type SecretPlace } from "../sys/secret.ts";

/** Keys of one attach: the same passphrase is tried for every encrypted image of a chain. */
export interface KeyRing {
  /** The bytes of the passphrase; undefined if there is none, or none any more. */
  passphrase: Uint8Array | undefined;
  /**
   * Keys of disks that have been unlocked, by what their headers say of the key: another thread that
   * opens the same image need not derive them again, which can take seconds.
   */
  readonly volumeKeys: Map<string, SecretPlace>;
  /** Rounds of hash functions that trying the passphrase has taken so far. */
  rounds: number;
}

/** What all images of a chain may take together: some minutes of work, or a quarter of an hour. */
export const MAX_ROUNDS_OF_CHAIN: number = 2 ** 30;

/** What there is to be said of a passphrase that has unlocked nothing. */
export const UNUSED_PASSPHRASE = "the image is not encrypted: the passphrase was not needed";

/** A key ring with nothing but a passphrase, or with nothing at all. */
export function keyRing(passphrase?: Uint8Array): KeyRing {
  return { passphrase, volumeKeys: new Map(), rounds: 0 };
}

/** Overwrites the passphrase once every image that needs it is open. */
export function forgetPassphrase(ring: KeyRing): void {
  ring.passphrase?.fill(0);
  ring.passphrase = undefined;
}

/** Overwrites the keys of the disks. Other threads may still look at them: their memory stays. */
export function forgetKeys({ volumeKeys }: KeyRing): void {
  for (const key of volumeKeys.values()) secretBytes(key).fill(0);
  volumeKeys.clear();
}
