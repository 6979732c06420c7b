/**
 * What a daemon says before it answers: how far it is with what takes long. The answer, which follows, is
 * the only text without an end of line.
 *
 * @module
 */
import { EINTR } from "../sys/errno.ts";
import { SystemError } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";

const CHUNK_BYTES = 64 * 1024;
const END_OF_LINE = "\n";

/** @param part from 0 to 1 */
export function progressLine(part: number): string {
  return `${part.toFixed(4)}${END_OF_LINE}`;
}

/**
 * What comes from `fd` up to its end, but for lines of {@link progressLine}.
 *
 * @param onProgress told of each of those
 * @throws {SystemError} as read(2)
 */
export function readBehindProgress(fd: number, onProgress: (part: number) => void): string {
  const buffer = new IoBuffer(CHUNK_BYTES);
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const count = libc().read(fd, buffer.address, buffer.size);
    if (count < 0 && lastErrno() === EINTR) continue;
    if (count < 0) throw new SystemError("read", lastErrno());
    if (count === 0) return text;
    const lines = (text + decoder.decode(buffer.bytes.subarray(0, count), { stream: true }))
      .split(END_OF_LINE);
    text = lines.pop() ?? "";
    for (const line of lines) onProgress(Number(line));
  }
}
