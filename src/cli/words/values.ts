/**
 * Arguments of options that are neither sizes nor paths.
 *
 * @module
 */
import type { Repair } from "../../image/checking.ts";
import type { FormatNames } from "../../image/formats.ts";
import type { WantedSectors } from "../../disk/sector_size.ts";
import { type Transport, TRANSPORTS } from "../../device/transports.ts";
import { AUTO_FORMAT } from "../../image/formats.ts";
import { MAX_THREADS } from "../../loop/threads.ts";
import { parseSizeBytes } from "./sizes.ts";
import { UsageError } from "./usage_error.ts";

export type { FormatNames } from "../../image/formats.ts";

/** What every kernel takes: powers of two up to the smallest page (`blk_validate_block_size`). */
const SECTOR_SIZES_BYTES: readonly number[] = [512, 1024, 2048, 4096];

/** What `--repair` takes. */
export const REPAIRS = ["leaks", "all"] as const satisfies readonly Repair[];

/** The canonical name of a format, or {@link AUTO_FORMAT}, or undefined if there is no such one. */
export function findFormat(name: string, formats: FormatNames): string | undefined {
  return name.toLowerCase() === AUTO_FORMAT ? AUTO_FORMAT : formats.canonical(name);
}

/** As {@link findFormat}, with an error that lists the known formats. */
export function parseFormat(name: string, formats: FormatNames): string {
  const format = findFormat(name, formats);
  if (format === undefined) throw unknownFormat(name, formats);
  return format;
}

export function unknownFormat(name: string, formats: FormatNames): UsageError {
  const known = formats.names.join(", ");
  return new UsageError(
    `unknown file format type '${name}'; known: ${known} (or '${AUTO_FORMAT}' to detect it)`,
  );
}

/** @throws {UsageError} if there is no such transport */
export function parseTransport(name: string): Transport {
  const transport = TRANSPORTS.find((candidate) => candidate === name);
  if (transport !== undefined) return transport;
  throw new UsageError(`unknown transport '${name}'; known: ${TRANSPORTS.join(", ")}`);
}

/**
 * An argument that is one of some words.
 *
 * @throws {UsageError} if it is another one
 */
export function parseWord<T extends string>(
  option: string,
  value: string,
  known: readonly T[],
): T {
  const word = known.find((candidate) => candidate === value);
  if (word !== undefined) return word;
  const fault = `unknown argument of --${option}: '${value}'; known: ${known.join(", ")}`;
  throw new UsageError(fault, { hint: false, unknownOption: `--${option}=${value}` });
}

/**
 * An argument that is `on` or `off`; none at all is `on`.
 *
 * @param complaint what the error begins with, for example losetup's `argument error`
 * @throws {UsageError} if it is another word
 */
export function parseSwitch(value: string | undefined, complaint: string): "on" | "off" {
  if (value === undefined || value === "on") return "on";
  if (value === "off") return "off";
  throw new UsageError(`${complaint}: '${value}'`);
}

/** @throws {UsageError} if `text` is no number of threads from 1 to {@link MAX_THREADS} */
export function parseThreads(text: string): number {
  const threads = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (threads >= 1 && threads <= MAX_THREADS) return threads;
  throw new UsageError(`invalid number of threads: '${text}'; possible: 1 to ${MAX_THREADS}`);
}

/**
 * The argument of `--sector-size`: any number, or `auto`.
 *
 * @throws {UsageError} as {@link parseSizeBytes}
 */
export function parseSectorSize(text: string): WantedSectors {
  return text === "auto" ? text : parseSizeBytes(text, "failed to parse logical block size");
}

/** @throws {UsageError} if no device of ours can have sectors of `sizeBytes` */
export function checkSectorSize(sizeBytes: number): number {
  if (SECTOR_SIZES_BYTES.includes(sizeBytes)) return sizeBytes;
  throw new UsageError(
    `invalid logical block size: '${sizeBytes}'; known: ${SECTOR_SIZES_BYTES.join(", ")}`,
  );
}
