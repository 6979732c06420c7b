/**
 * What is known of an image from its header.
 *
 * @module
 */
import type { BackingInfo } from "../../image/info.ts";
import type { IoBuffer } from "../../sys/memory.ts";
import type { HeaderExtensions } from "./extensions.ts";
import type { HEADER, HEADER_V3 } from "./layout.ts";

/** The files an image names, as recorded. */
export interface RecordedNames {
  readonly backing: BackingInfo | undefined;
  readonly hasDataFile: boolean;
  readonly dataFileName: string | undefined;
}

/** Where the table of snapshots is. */
export interface SnapshotTable {
  /** Where it starts in the file. */
  readonly offset: number;
  /** Its entries, whose lengths vary. */
  readonly entries: number;
}

/** Where the reference counts of an image are, and what they are like. */
export interface Refcounts {
  readonly tableOffset: number;
  readonly tableEntries: number;
  /** Bits of a count, as a power of two. */
  readonly order: number;
}

/** What the driver needs of a valid header. */
export interface Header extends RecordedNames {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Size of the disk: whole sectors, as qemu counts it. */
  readonly sizeBytes: number;
  /** Where the L1 table starts in the file. */
  readonly l1Offset: number;
  /** L1 entries that describe the disk; the table may have more (for the state of a machine). */
  readonly l1Entries: number;
  /** All entries of the table. */
  readonly l1AllEntries: number;
  /** How compressed clusters are stored: a value of {@link CompressionType}. */
  readonly compressionType: number;
  /** One of {@link CryptMethod}. */
  readonly cryptMethod: number;
  /** Whether clusters have subclusters. */
  readonly extendedL2: boolean;
  /** Size of an L2 entry, as a power of two: 3 or 4. */
  readonly l2EntryBits: number;
  readonly refcounts: Refcounts;
  readonly snapshots: SnapshotTable;
  /** Whether whoever wrote it last found damage. */
  readonly corrupt: boolean;
  /** Whether its reference counts may be wrong, for it was not closed in order. */
  readonly dirty: boolean;
  /** Feature bits as they are in the header. */
  readonly incompatible: bigint;
  readonly autoclear: bigint;
  readonly extensions: HeaderExtensions;
}

/** The start of the file the header describes, and the file. */
export interface Source {
  /** The first cluster; the fixed fields alone where those do not tell a valid cluster size. */
  readonly head: IoBuffer;
  readonly path: string;
  readonly sizeBytes: number;
}

export type Fields = ReturnType<typeof HEADER.read>;
export type FieldsV3 = ReturnType<typeof HEADER_V3.read> & { readonly compression_type: number };
