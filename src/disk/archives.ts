/**
 * Archives, in which images are handed around: the image has to be taken out first.
 *
 * @module
 */
import { COMPRESSED_FILES, type KnownFormat, magic, UNSUPPORTED_FORMATS } from "./known_formats.ts";
import { findMark, type Marked } from "./marks.ts";
import { DRIVERS } from "./registry.ts";

interface Archive extends KnownFormat {
  /** What takes files out of it, as it is typed. */
  readonly unpacker: string;
}

const TAR: Archive = {
  name: "a tar archive",
  unpacker: "tar -xf",
  // ustar (POSIX) and GNU: struct posix_header, magic and version
  magics: [magic(257, "ustar\x0000"), magic(257, "ustar  \0")],
};

const ARCHIVES: readonly Archive[] = [
  TAR,
  {
    name: "a ZIP archive",
    unpacker: "unzip",
    // APPNOTE.TXT 4.3: a file, the end of an empty archive, the first part of several
    magics: [magic(0, "PK\x03\x04"), magic(0, "PK\x05\x06"), magic(0, "PK\x07\x08")],
  },
  { name: "a 7z archive", unpacker: "7z x", magics: [magic(0, "7z\xbc\xaf\x27\x1c")] },
  { name: "a RAR archive", unpacker: "unrar x", magics: [magic(0, "Rar!\x1a\x07")] },
  {
    name: "a backup of Proxmox VE",
    unpacker: "vma extract",
    magics: [magic(0, "VMA\0\0\0\0\x01")],
  },
  { name: "a WIM archive", unpacker: "wimapply", magics: [magic(0, "MSWIM\0\0\0")] },
];

/** How archives are called that are compressed as a whole. */
const COMPRESSED_TAR = /\.(tar\.\w+|t[gx]z|tbz2?|tzst)$/i;

/**
 * What there is to be said of an archive, to go behind "it": what it is, and what to do. Undefined for
 * what is none, or looks more like an image.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function archiveIn(file: Marked & { readonly path: string }): string | undefined {
  const archive = isCompressedTar(file) ? TAR : plainArchive(file);
  if (archive === undefined) return undefined;
  const { name, unpacker } = archive;
  const called = archive === TAR && /\.ova$/i.test(file.path) ? "an OVA, a tar archive" : name;
  return `is ${called} (${unpacker} takes the image out of it)`;
}

function isCompressedTar(file: Marked & { readonly path: string }): boolean {
  return COMPRESSED_TAR.test(file.path) &&
    findMark(file, [...COMPRESSED_FILES, ...DRIVERS]) !== undefined;
}

/** A disk may begin like an archive, in an image that is known by its end. */
function plainArchive(file: Marked): Archive | undefined {
  if (findMark(file, [...UNSUPPORTED_FORMATS, ...DRIVERS]) !== undefined) return undefined;
  const found = findMark(file, ARCHIVES);
  return ARCHIVES.find(({ name }) => name === found?.name);
}
