/**
 * What dm-log-writes has logged of a block device, entry by entry (Linux, drivers/md/dm-log-writes.c).
 *
 *     sector 0   super block: magic, version, number of entries, size of a sector
 *     then each  one sector: where, how many sectors, flags, length of a mark's text, the text;
 *                then what was written
 *
 * What was written before a flush comes before it.
 *
 * @module
 */

const MAGIC = 0x6a736677736872n;
const SUPER = { magic: 0, version: 8, entries: 16, sectorBytes: 24 } as const;
const ENTRY = { sector: 0, sectors: 8, flags: 16, textBytes: 24, text: 32 } as const;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;
const MARK = 8n;

export interface LoggedWrite {
  readonly offset: number;
  readonly lengthBytes: number;
  /** Where the data are in the log; undefined if the range was discarded. */
  readonly dataOffset?: number;
  /** Whether what came before it is durable: it was a flush, or durable itself. */
  readonly isBarrier: boolean;
  /** The text of a mark. */
  readonly mark?: string;
}

/** The entries of a log. */
export function loggedWrites(log: Deno.FsFile): LoggedWrite[] {
  const head = viewAt(log, 0, 512);
  if (head.getBigUint64(SUPER.magic, true) !== MAGIC) throw new Error("no log of dm-log-writes");
  const count = Number(head.getBigUint64(SUPER.entries, true));
  const sectorBytes = head.getUint32(SUPER.sectorBytes, true);
  const found: LoggedWrite[] = [];
  for (let at = sectorBytes; found.length < count;) {
    const view = viewAt(log, at, sectorBytes);
    const flags = view.getBigUint64(ENTRY.flags, true);
    const lengthBytes = Number(view.getBigUint64(ENTRY.sectors, true)) * sectorBytes;
    const textBytes = Number(view.getBigUint64(ENTRY.textBytes, true));
    const isDiscard = (flags & DISCARD) !== 0n;
    at += sectorBytes;
    found.push({
      offset: Number(view.getBigUint64(ENTRY.sector, true)) * sectorBytes,
      lengthBytes,
      isBarrier: (flags & (FLUSH | FUA)) !== 0n,
      ...isDiscard ? {} : { dataOffset: at },
      ...(flags & MARK) === 0n ? {} : { mark: textOf(view, textBytes) },
    });
    if (!isDiscard) at += lengthBytes;
  }
  return found;
}

function textOf({ buffer, byteOffset }: DataView<ArrayBuffer>, lengthBytes: number): string {
  return new TextDecoder().decode(new Uint8Array(buffer, byteOffset + ENTRY.text, lengthBytes));
}

/** Does to a device what a write did. */
export function replay(write: LoggedWrite, log: Deno.FsFile, device: Deno.FsFile): void {
  const { offset, lengthBytes, dataOffset } = write;
  if (lengthBytes === 0) return;
  const bytes = dataOffset === undefined
    ? new Uint8Array(lengthBytes)
    : new Uint8Array(viewAt(log, dataOffset, lengthBytes).buffer);
  device.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < lengthBytes;) at += device.writeSync(bytes.subarray(at));
}

function viewAt(file: Deno.FsFile, offset: number, lengthBytes: number): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let at = 0; at < lengthBytes;) {
    const count = file.readSync(bytes.subarray(at));
    if (count === null) throw new Error("the log ends too early");
    at += count;
  }
  return new DataView(bytes.buffer);
}
