/**
 * What is known of each format without its driver: names and a summary. The command line needs no
 * more, and starts faster if it does not load the drivers.
 *
 * @module
 */

/** A format as users meet it. */
export interface Format {
  /** What `--file-fmt-type` takes, in any case, and what listings show. */
  readonly name: string;
  /** Other spellings of the name. */
  readonly aliases: readonly string[];
  /** Whether its driver can write images. */
  readonly writable: boolean;
  /** One line about what the driver can do, for help texts and the README's table. */
  readonly summary: string;
}

export const QCOW: Format = {
  name: "QCOW",
  aliases: ["QCOW2"],
  writable: true,
  summary: "QEMU copy-on-write image, version 2 and 3",
};

export const QCOW1: Format = {
  name: "QCOW1",
  aliases: [],
  writable: true,
  summary: "QEMU copy-on-write image, version 1",
};

export const PARALLELS: Format = {
  name: "PARALLELS",
  aliases: ["HDD"],
  writable: true,
  summary: "Parallels disk image: expanding, or a folder with snapshots",
};

export const QED: Format = {
  name: "QED",
  aliases: [],
  writable: true,
  summary: "QEMU enhanced disk image",
};

export const ANDROID_SPARSE: Format = {
  name: "ANDROID-SPARSE",
  aliases: ["SIMG"],
  writable: false,
  summary: "sparse image of Android's fastboot",
};

export const CLOOP: Format = {
  name: "CLOOP",
  aliases: [],
  writable: false,
  summary: "compressed loop image, version 2 (zlib)",
};

export const BOCHS: Format = {
  name: "BOCHS",
  aliases: [],
  writable: false,
  summary: "redolog of the emulator Bochs: growing",
};

export const SPARSEIMAGE: Format = {
  name: "SPARSEIMAGE",
  aliases: [],
  writable: false,
  summary: "sparse disk image of macOS",
};

export const SPARSEBUNDLE: Format = {
  name: "SPARSEBUNDLE",
  aliases: [],
  writable: false,
  summary: "sparse bundle of macOS: a folder with the disk in bands",
};

export const VDI: Format = {
  name: "VDI",
  aliases: [],
  writable: true,
  summary: "VirtualBox disk image: fixed, dynamic, differencing",
};

export const VHD: Format = {
  name: "VHD",
  aliases: ["VPC"],
  writable: true,
  summary: "Virtual PC and Hyper-V disk image: fixed, dynamic, differencing",
};

export const VMDK: Format = {
  name: "VMDK",
  aliases: [],
  writable: true,
  summary: "VMware disk image: monolithic, split, flat, stream, delta",
};

export const VHDX: Format = {
  name: "VHDX",
  aliases: [],
  writable: true,
  summary: "Hyper-V disk image: fixed, dynamic, differencing",
};

export const DMG: Format = {
  name: "DMG",
  aliases: ["UDIF"],
  writable: false,
  summary: "Apple disk image: zlib, bzip2, LZFSE, xz, ADC",
};

export const LUKS: Format = {
  name: "LUKS",
  aliases: ["LUKS1"],
  writable: true,
  summary: "encrypted volume, version 1 (AES)",
};

export const EWF: Format = {
  name: "EWF",
  aliases: ["E01"],
  writable: false,
  summary: "Expert Witness image (EnCase): one or several segments",
};

export const GZIP: Format = {
  name: "GZIP",
  aliases: ["GZ"],
  writable: false,
  summary: "plain disk image compressed with gzip",
};

export const XZ: Format = {
  name: "XZ",
  aliases: [],
  writable: false,
  summary: "plain disk image compressed with xz",
};

export const ZSTD: Format = {
  name: "ZSTD",
  aliases: ["ZST"],
  writable: false,
  summary: "plain disk image compressed with zstd",
};

/** What stands for "whatever the file looks like". */
export const AUTO_FORMAT = "auto";
/** What help texts say of that. */
export const AUTO_SUMMARY = "the format whose mark the file carries, else RAW";

/** Files of no format at all, which is the default. */
export const RAW: Format = {
  name: "RAW",
  aliases: [],
  writable: true,
  summary: "plain disk image or block device",
};

/** All formats, in the order of their drivers in the registry. */
export const FORMATS: readonly Format[] = [
  QCOW,
  QCOW1,
  QED,
  VDI,
  VHD,
  VHDX,
  VMDK,
  PARALLELS,
  BOCHS,
  CLOOP,
  ANDROID_SPARSE,
  DMG,
  SPARSEIMAGE,
  SPARSEBUNDLE,
  LUKS,
  EWF,
  GZIP,
  XZ,
  ZSTD,
  RAW,
];

/** What the command line has to know of formats. */
export interface FormatNames {
  /** The format's own spelling of `name`, or undefined where no format has that name. */
  canonical(name: string): string | undefined;
  /** The formats' names, in the registry's order. */
  readonly names: readonly string[];
}

/** The names of {@link FORMATS}. */
export const FORMAT_NAMES: FormatNames = {
  canonical: (name) => formatNamed(FORMATS, name)?.name,
  names: FORMATS.map((format) => format.name),
};

/** The one of `formats` that has `name` as its name or as one of its aliases, in any case. */
export function formatNamed<F extends Format>(formats: readonly F[], name: string): F | undefined {
  const wanted = name.toUpperCase();
  return formats.find((format) => format.name === wanted || format.aliases.includes(wanted));
}
