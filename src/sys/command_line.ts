/**
 * What others see as this process's command line, ps for one. A process can change it as far as there was
 * room in it at the start (proc(5), /proc/PID/cmdline).
 *
 * @module
 */
import { readTextIfAny } from "./files.ts";
import { bytesAt } from "./memory.ts";
import { encodeText } from "./text.ts";

/** Fields of /proc/PID/stat, counted from the one after the command name: proc(5). */
const ARG_END_FIELD = 46;
const SPACE = 0x20;
const CUT = "...";

/** An argument of so many bytes is room for others. */
export function roomArgument(bytes: number): string {
  return " ".repeat(bytes);
}

/** All of `text`, or as much of its end as fits into so many bytes. */
function endOf(text: Uint8Array<ArrayBuffer>, maxBytes: number): Uint8Array {
  if (text.length <= maxBytes) return text;
  const cut = encodeText(CUT).subarray(0, maxBytes);
  const end = text.slice(text.length - maxBytes);
  end.set(cut);
  return end;
}

/** The room that the last argument is. */
export class CommandLineRoom {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @returns undefined where the last argument is not {@link roomArgument} of so many bytes */
  static find(bytes: number): CommandLineRoom | undefined {
    const stat = readTextIfAny("/proc/self/stat") ?? "";
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const end = Number(fields[ARG_END_FIELD]);
    if (!(end > bytes)) return undefined;
    // The last byte, behind it, ends the command line.
    const room = bytesAt(end - 1 - bytes, bytes);
    return room.every((byte) => byte === SPACE) ? new CommandLineRoom(room) : undefined;
  }

  /** Shows two arguments; of the second one, as much of its end as there is room for. */
  show(first: string, second: string): void {
    const start = encodeText(`${first}\0`).subarray(0, this.#bytes.length);
    this.#bytes.fill(0);
    this.#bytes.set(start);
    this.#bytes.set(endOf(encodeText(second), this.#bytes.length - start.length), start.length);
  }
}
