/**
 * Numbers with size suffixes as util-linux reads them (lib/strutils.c: `parse_size`), bit for bit: a
 * script's `-o 1.25M` has to mean the same place here and there.
 *
 *     size     = integer [fraction] [suffix]
 *     integer  = as strtoumax(3) with base 0: blanks, "+", then decimal, 0octal or 0xhex digits
 *     fraction = "." digits, only with a suffix
 *     suffix   = K M G T P E Z Y, alone or with "iB": powers of 1024; with "B": powers of 1000
 *
 * @module
 */
import { UsageError } from "./usage_error.ts";

const SUFFIXES = "kmgtpezy";
const UINTMAX_MAX = 2n ** 64n - 1n;
/** Leading blanks and sign are strtoumax's; several dots are what `parse_size` lets through. */
const SIZE =
  /^[ \t-\r]*\+?(?<integer>0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)(?<zeros>(?:\.0*)*)(?<digits>(?<=\.0*)[1-9]\d*)?(?:(?<letter>[kmgtpezyKMGTPEZY])(?<unit>i?[Bb])?)?$/;
/** An integer too large for strtoumax is refused as such, whatever follows it. */
const LEADING_INTEGER = /^[ \t-\r]*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/;

/**
 * Reads a size in bytes, at most 2^53 - 1.
 *
 * @param complaint what the error begins with, for example `failed to parse offset`
 * @throws {UsageError} without a hint, worded as `strtosize_or_err` does
 */
export function parseSizeBytes(text: string, complaint: string): number {
  const sizeBytes = scaledSize(text);
  if (sizeBytes === undefined) throw invalid(text, complaint, "Invalid argument");
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalid(text, complaint, "Numerical result out of range");
  }
  return Number(sizeBytes);
}

function invalid(text: string, complaint: string, reason: string): UsageError {
  return new UsageError(`${complaint}: '${text}': ${reason}`);
}

/** The size, or anything larger than all sizes, or undefined if `text` is none. */
function scaledSize(text: string): bigint | undefined {
  const leading = LEADING_INTEGER.exec(text)?.[1];
  if (leading !== undefined && integerValue(leading) > UINTMAX_MAX) return integerValue(leading);
  const parts = SIZE.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const { integer = "", zeros = "", digits = "", letter, unit = "" } = parts;
  if (letter === undefined) return zeros + digits === "" ? integerValue(integer) : undefined;
  if (BigInt(digits) > UINTMAX_MAX) return BigInt(digits);
  const scale = scaleOf(letter, unit);
  const places = zeros.replaceAll(".", "").length;
  return integerValue(integer) * scale + fractionOf(scale, digits, places);
}

function integerValue(text: string): bigint {
  return BigInt(/^0[0-7]/.test(text) ? `0o${text.slice(1)}` : text);
}

/** `K` and `KiB` are 1024, `KB` is 1000. */
function scaleOf(letter: string, unit: string): bigint {
  const base = unit.length === 1 ? 1000n : 1024n;
  return base ** BigInt(SUFFIXES.indexOf(letter.toLowerCase()) + 1);
}

/**
 * The share of `scale` that a decimal fraction stands for: each digit is a truncated division of its
 * own, so that `.25` of 1024 is 204 + 51. A fraction that is a power of ten counts one place less
 * than it has (`1.10K` is 2048): a fault of the original that its users' offsets depend on.
 *
 * @param digits the digits from the first that is not zero
 * @param leadingZeros how many zeros are between the point and those
 */
function fractionOf(scale: bigint, digits: string, leadingZeros: number): bigint {
  const places = /^10+$/.test(digits) ? digits.length - 1 : digits.length;
  const excess = digits.length - places;
  return [...digits].reduce((sum, digit, position) => {
    const place = BigInt(leadingZeros + position + 1 - excess);
    const divisor = digit === "0" ? 0n : 10n ** place / BigInt(digit);
    return divisor === 0n ? sum : sum + scale / divisor;
  }, 0n);
}
