/**
 * Making once more what a daemon had answered that was killed, before anybody is served.
 *
 *     1. the bytes of all changes are held elsewhere      (the image is only read)
 *     2. what the killed one had in reserve is given back
 *     3. all changes that the tables do not have are made, in their order, and made durable
 *     4. they are forgotten
 *
 * Whenever that is killed itself, it is done anew: up to 4 nothing of what it takes is changed. Then all of them
 * are made, as the tables may have what was made of an older one, where that got the place of a later one.
 *
 * After a write that was lost, they are made in memory only, to be read: nobody knows what is on the disk, so
 * nothing of that is used anew, and no table is written. Each flush fails, and so does each further change.
 *
 * @module
 */
import { SECTOR_BYTES, type SectorCipher } from "../crypt/sector_cipher.ts";
import { type KeptChange, KeptKind } from "../disk/change_journal.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { NumberRange } from "../disk/range_set.ts";
import type { SecuredBytes } from "../disk/secured_bytes.ts";
import { unmadeParts } from "../disk/unmade_changes.ts";
import { IoBuffer } from "../sys/memory.ts";
import { WholeChanges } from "./whole_changes.ts";

const WRITTEN_BYTES = 1024 * 1024;

/**
 * Makes all changes that are recorded of an image which has just been opened.
 *
 * @returns how many there were
 * @throws {SystemError | ImageFormatError} if one cannot be made, or not be made durable
 */
export function replayChanges(access: ImageAccess): number {
  const { kept, image: { writing } } = access;
  if (kept === undefined || writing === undefined) return 0;
  const { journal, bytes } = kept;
  const isFirstTry = !journal.isSecured;
  bytes.take(journal);
  const { hasLost } = journal;
  const changes = hasLost ? new ChangesInMemory(access) : new WholeChanges(access);
  const replay = new Replay(access, changes, { bytes, cipher: writing.cipher });
  const unmade = isFirstTry && !hasLost
    ? unmadeParts(access.image, [...journal.changes()])
    : undefined;
  if (!hasLost) writing.reclaim?.();
  let count = 0;
  for (const [change, position] of bytes.of(journal)) {
    const parts = unmade?.[count] ?? [wholeOf(change)];
    for (const part of parts) replay.make(change, part, position);
    count++;
  }
  if (!hasLost) {
    changes.flush();
    journal.resume();
    bytes.drop();
  }
  for (const file of writing.files) {
    // What was written in place is not a part of any flush yet.
    file.hasWritten(0, file.sizeBytes);
    // What was lost is so for good, whoever was told of it.
    if (hasLost) file.syncFailed();
  }
  return count;
}

class ChangesInMemory extends WholeChanges {
  /** @throws {Error} in any case */
  override flush(): never {
    throw new Error(
      "something that was written was lost, and there is no room for what came after it",
    );
  }
}

interface ReplayMeans {
  readonly bytes: SecuredBytes;
  readonly cipher: SectorCipher | undefined;
}

/** Where in the window bytes belong, and what the cipher counts them as. */
interface HeldBytes extends Pick<KeptChange, "lengthBytes" | "firstSector"> {
  readonly offset: number;
}

function wholeOf({ guestOffset, lengthBytes }: KeptChange): NumberRange {
  return { start: guestOffset, end: guestOffset + lengthBytes };
}

class Replay {
  readonly #changes: WholeChanges;
  readonly #bytes: SecuredBytes;
  readonly #cipher: SectorCipher | undefined;
  /** Changes are of the whole disk, whatever part of it is served. */
  readonly #startBytes: number;
  readonly #sizeBytes: number;
  readonly #buffer = IoBuffer.ofPages(WRITTEN_BYTES);

  constructor({ window, image }: ImageAccess, changes: WholeChanges, means: ReplayMeans) {
    this.#startBytes = window.startBytes;
    this.#sizeBytes = image.sizeBytes;
    this.#changes = changes;
    this.#bytes = means.bytes;
    this.#cipher = means.cipher;
  }

  /**
   * Makes part of a change, whose bytes are held at `position`. What lies behind the end, a unit has there, or
   * a disk that was to be made larger.
   */
  make(change: KeptChange, { start, end }: NumberRange, position: number): void {
    const { kind, guestOffset, firstSector } = change;
    const lengthBytes = Math.min(end, this.#sizeBytes) - start;
    if (lengthBytes <= 0) return;
    const offset = start - this.#startBytes;
    const before = start - guestOffset;
    switch (kind) {
      case KeptKind.Data:
        return this.#write(
          { offset, lengthBytes, firstSector: firstSector + before / SECTOR_BYTES },
          position + before,
        );
      case KeptKind.Discarded:
        return this.#changes.discard(offset, lengthBytes);
      case KeptKind.Zeros:
        return this.#changes.writeZeros(offset, lengthBytes);
      case KeptKind.KeptZeros:
        return this.#changes.writeZeros(offset, lengthBytes, { keepAllocated: true });
    }
  }

  #write({ offset, lengthBytes, firstSector }: HeldBytes, position: number): void {
    for (let done = 0; done < lengthBytes;) {
      const most = Math.min(lengthBytes - done, WRITTEN_BYTES);
      const stored = this.#bytes.stored(position + done, most);
      const count = Math.abs(stored);
      if (stored > 0 || this.#cipher !== undefined) {
        this.#bytes.read(this.#buffer, position + done, count);
        this.#cipher?.decrypt(
          this.#buffer.bytes.subarray(0, count),
          firstSector + done / SECTOR_BYTES,
        );
        this.#changes.write(this.#buffer, offset + done, count);
      } else this.#changes.writeZeros(offset + done, count);
      done += count;
    }
  }
}
