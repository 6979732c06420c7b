/**
 * What a descriptor is given when the image is written to for the first time: whoever has made a child of
 * the image as it was finds out by that.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { guidText, randomGuid } from "../../kit/guid.ts";
import type { Descriptor } from "../descriptor/descriptor.ts";
import type { Source } from "../source.ts";

/** Those that mean something else than the content of an image (the first one: see `longContentID`). */
const RESERVED = ["fffffffe", "ffffffff"];

export class Renewal {
  readonly #file: ImageFile;
  readonly #descriptor: Descriptor;
  /** Where the descriptor begins in the file. */
  readonly #start: number;
  #isDone = false;

  /** @param file has the descriptor */
  constructor(file: ImageFile, { descriptor, range }: Pick<Source, "descriptor" | "range">) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.#start = range.hostOffset;
  }

  /**
   * Renews CID and modification UUID, as far as the image has them, durably, and once only. The text keeps
   * its length.
   *
   * @throws {SystemError} if that cannot be written, or something that was written has been lost
   */
  begin(): void {
    if (this.#file.hasLost) throw new SystemError("write", EIO, this.#file.path);
    if (this.#isDone) return;
    const { fields } = this.#descriptor;
    const cid = fields.get("cid");
    if (cid !== undefined && /^[0-9a-f]{1,8}$/i.test(cid.value)) {
      this.#write(cid.position, newCid(cid.value));
    }
    const modification = fields.get("ddb.uuid.modification");
    const uuid = guidText(randomGuid()) ?? "";
    if (modification?.value.length === uuid.length) this.#write(modification.position, uuid);
    this.#file.takeUnsynced();
    this.#file.sync();
    this.#isDone = true;
  }

  #write(position: number, text: string): void {
    const buffer = new IoBuffer(text.length);
    buffer.bytes.set(new TextEncoder().encode(text));
    this.#file.write(buffer, 0, this.#start + position, text.length);
  }
}

/** Another one, of as many digits. */
function newCid(before: string): string {
  for (;;) {
    const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
    const text = number.toString(16).padStart(8, "0").slice(-before.length);
    if (text !== before.toLowerCase() && !RESERVED.includes(text)) return text;
  }
}
