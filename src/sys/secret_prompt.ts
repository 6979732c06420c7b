/**
 * Asking a person at the terminal for something that must not be seen.
 *
 * @module
 */
import { EINTR, SystemError } from "./errno.ts";
import { type Fd, O_RDWR, openFile, writeText } from "./files.ts";
import { lastErrno, libc } from "./libc.ts";
import { IoBuffer } from "./memory.ts";

const TERMINAL = "/dev/tty";

// asm-generic/termbits.h: struct termios, and asm-generic/ioctls.h
const TERMIOS = { size: 36, localFlags: 12, controls: 17 } as const;
const TCGETS = 0x5401;
const TCSETSF = 0x5404;
const ISIG = 0o1;
const ICANON = 0o2;
const ECHO = 0o10;
const VTIME = 5;
const VMIN = 6;

const LINE_MAX_BYTES = 4096;

const Key = {
  interrupt: 0x03,
  endOfFile: 0x04,
  backspace: 0x08,
  lineFeed: 0x0a,
  return: 0x0d,
  killLine: 0x15,
  quit: 0x1c,
  delete: 0x7f,
} as const;

/**
 * Shows `prompt` on the terminal of this process and reads a line from it without echo. The keys
 * that would end the process end the question instead: so the terminal always gets its echo back.
 *
 * @returns the line's bytes, without its end; undefined if the answer was refused
 * @throws {SystemError} where there is no terminal
 */
export function askSecretly(prompt: string): Uint8Array | undefined {
  using terminal = openFile(TERMINAL, O_RDWR);
  const before = settingsOf(terminal);
  apply(terminal, withoutEcho(before));
  try {
    writeText(terminal.number, prompt);
    return readLine(terminal);
  } finally {
    apply(terminal, before);
    writeText(terminal.number, "\n");
  }
}

function settingsOf(terminal: Fd): IoBuffer {
  const settings = new IoBuffer(TERMIOS.size);
  if (libc().ioctl(terminal.number, TCGETS, settings.address) === 0) return settings;
  throw new SystemError("ioctl TCGETS", lastErrno(), TERMINAL);
}

function apply(terminal: Fd, settings: IoBuffer): void {
  libc().ioctl(terminal.number, TCSETSF, settings.address);
}

function withoutEcho(settings: IoBuffer): IoBuffer {
  const silent = new IoBuffer(TERMIOS.size);
  silent.bytes.set(settings.bytes);
  const flags = silent.view.getUint32(TERMIOS.localFlags, true);
  silent.view.setUint32(TERMIOS.localFlags, flags & ~(ISIG | ICANON | ECHO), true);
  silent.bytes[TERMIOS.controls + VMIN] = 1;
  silent.bytes[TERMIOS.controls + VTIME] = 0;
  return silent;
}

function readLine(terminal: Fd): Uint8Array | undefined {
  const line = new Uint8Array(LINE_MAX_BYTES);
  const key = new IoBuffer(1);
  try {
    for (let length = 0;;) {
      const byte = readKey(terminal, key);
      if (byte === Key.lineFeed || byte === Key.return) return line.slice(0, length);
      if (byte === Key.endOfFile && length > 0) return line.slice(0, length);
      if (byte < 0 || byte === Key.endOfFile) return undefined;
      if (byte === Key.interrupt || byte === Key.quit) return undefined;
      length = edited(line, length, byte);
    }
  } finally {
    line.fill(0);
    key.bytes.fill(0);
  }
}

/** The next byte that is typed; -1 at the end. */
function readKey(terminal: Fd, key: IoBuffer): number {
  for (;;) {
    const count = libc().read(terminal.number, key.address, 1);
    if (count === 1) return key.view.getUint8(0);
    if (count === 0 || lastErrno() !== EINTR) return -1;
  }
}

/** Enters one byte into a line of `length` bytes; returns its new length. */
function edited(line: Uint8Array, length: number, byte: number): number {
  if (byte === Key.killLine) return 0;
  if (byte === Key.backspace || byte === Key.delete) return withoutLast(line, length);
  if (length === line.length) return length;
  line[length] = byte;
  return length + 1;
}

/** A character can have several bytes: all but the first are 10xxxxxx (UTF-8). */
function withoutLast(line: Uint8Array, length: number): number {
  let end = length - 1;
  while (end > 0 && ((line[end] ?? 0) & 0xc0) === 0x80) end--;
  return Math.max(0, end);
}
