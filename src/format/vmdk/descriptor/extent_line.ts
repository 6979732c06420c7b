/**
 * The lines of a descriptor that say what the disk consists of.
 *
 *     RW 4192256 SPARSE "disk-s001.vmdk"
 *     RW 8192 FLAT "disk-flat.vmdk" 0
 *     RDONLY 63 ZERO
 *
 * @module
 */
import { SECTOR_BYTES } from "../layout.ts";

/** What one line says. */
export interface ExtentLine {
  readonly access: "RW" | "RDONLY" | "NOACCESS";
  readonly sizeBytes: number;
  /** In capital letters. */
  readonly type: string;
  /** As recorded; undefined where there is no file. */
  readonly file: string | undefined;
  /** Where in the file it begins. */
  readonly hostOffset: number;
}

const LINE =
  /^\s*(RW|RDONLY|NOACCESS)\s+(\d{1,16})\s+([A-Z]\w*)(?:\s+"([^"]*)"(?:\s+(\d{1,16})(?:\s.*)?)?)?\s*$/i;
const ACCESS = /^\s*(?:RW|RDONLY|NOACCESS)\s/i;

/** Whether a line is meant to be about an extent. */
export function isExtentLine(line: string): boolean {
  return ACCESS.test(line);
}

/**
 * What a line about an extent says.
 *
 * @param decode makes text of the characters of a line, each of which is a byte
 * @returns undefined if it cannot be understood
 */
export function parseExtentLine(
  line: string,
  decode: (bytes: string) => string,
): ExtentLine | undefined {
  const [whole, access = "", sectors, type = "", file, offset = "0"] = LINE.exec(line) ?? [];
  const sizeBytes = Number(sectors) * SECTOR_BYTES;
  const hostOffset = Number(offset) * SECTOR_BYTES;
  if (whole === undefined || !Number.isSafeInteger(sizeBytes + hostOffset)) return undefined;
  return {
    access: access.toUpperCase() as ExtentLine["access"],
    sizeBytes,
    type: type.toUpperCase(),
    file: file === undefined ? undefined : decode(file),
    hostOffset,
  };
}
