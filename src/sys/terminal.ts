/**
 * What decides how text is shown: the terminal, and the locale.
 *
 * @module
 */
import { libc } from "./libc.ts";
import { addressOf, cString } from "./memory.ts";

const STDOUT = 1;
/** Where neither the terminal nor the environment tells. */
const DEFAULT_COLUMNS = 80;

// asm-generic/ioctls.h; struct winsize: four u16, rows and columns first
const TIOCGWINSZ = 0x5413;
const WINSIZE_BYTES = 8;

// locale.h, langinfo.h
const LC_ALL_MASK = 0x1fbf;
const CODESET = 14;

/** Columns of the terminal that standard output is, or undefined if it is none. */
export function terminalColumns(): number | undefined {
  if (!Deno.stdout.isTerminal()) return undefined;
  const size = new Uint16Array(new ArrayBuffer(WINSIZE_BYTES));
  const [, columns = 0] =
    libc().ioctl(STDOUT, TIOCGWINSZ, addressOf(new Uint8Array(size.buffer))) < 0 ? [] : size;
  return columns > 0 ? columns : columnsOfEnvironment() ?? DEFAULT_COLUMNS;
}

function columnsOfEnvironment(): number | undefined {
  const columns = Number(textAt(libc().getenv(cString("COLUMNS"))) ?? NaN);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}

/** Whether the locale of the environment has UTF-8 as its character set; "C" has not. */
export function isUtf8Locale(): boolean {
  const locale = libc().newlocale(LC_ALL_MASK, cString(""), 0);
  if (locale === 0n) return false;
  try {
    return textAt(libc().nl_langinfo_l(CODESET, Number(locale))) === "UTF-8";
  } finally {
    libc().freelocale(Number(locale));
  }
}

function textAt(address: Deno.PointerValue): string | undefined {
  return address === null ? undefined : Deno.UnsafePointerView.getCString(address);
}
