/**
 * Opening what the lines of a descriptor are about.
 *
 * @module
 */
import type { RecordedPath } from "../../image/identity.ts";
import type { MappedDisk } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FilePart, ZeroPart } from "../kit/parts.ts";
import { PlainWriting } from "../kit/plain_writing.ts";
import type { ExtentLine } from "./descriptor/extent_line.ts";
import { damaged, unsupported } from "./errors.ts";
import type { ExtentOptions, SparseExtent } from "./extents/kind.ts";
import { headOf, kindOf } from "./extents/kinds.ts";

const FLAT_TYPES = ["FLAT", "VMFS"];
/** Which of them it is, the file says. */
const SPARSE_TYPES = ["SPARSE", "VMFSSPARSE", "SESPARSE"];

/** A part of the disk. */
export interface Piece {
  /** What it says where bytes are; it counts from its own start on. */
  readonly disk: MappedDisk;
  /** Itself, if it has tables. */
  readonly sparse: SparseExtent | undefined;
  /** What changes it; undefined if the image is only read. */
  readonly writing: Writing | undefined;
}

/** What is known of all pieces. */
export interface PieceOptions extends Omit<ExtentOptions, "start"> {
  /** Whether files that are too short are taken as they are. */
  readonly force: boolean;
}

/** Opens the pieces of one image, each file once. */
export class PieceOpener {
  readonly #by: ImageFile;
  readonly #options: PieceOptions;
  readonly #files = new Map<string, ImageFile>();
  /** Names of those that have tables. */
  readonly #sparse = new Set<string>();

  /** @param by has the descriptor */
  constructor(by: ImageFile, options: PieceOptions) {
    this.#by = by;
    this.#options = options;
  }

  /**
   * Opens what a line is about.
   *
   * @param start where in the disk it begins
   * @throws {ImageFormatError} if the file does not have what the line says
   * @throws {UnsupportedFeatureError} if the kind of the extent is unknown
   * @throws {RelatedFileError} if a file may not or cannot be opened
   */
  open(line: ExtentLine, start: number): Piece {
    const { access, type, sizeBytes } = line;
    if (access === "NOACCESS") throw this.#unsupported("extents without access (NOACCESS)");
    if (type === "ZERO") {
      return { disk: new ZeroPart(sizeBytes), sparse: undefined, writing: undefined };
    }
    if (FLAT_TYPES.includes(type)) return this.#openFlat(line);
    if (SPARSE_TYPES.includes(type)) return this.#openSparse(line, start);
    throw this.#unsupported(`extents of the type ${type}`);
  }

  #openFlat(line: ExtentLine): Piece {
    const { sizeBytes, hostOffset, file: name = "" } = line;
    const file = this.#fileOf(line);
    if (this.#sparse.has(name)) this.#refuseShared(file);
    const missing = hostOffset + sizeBytes - file.sizeBytes;
    if (missing > 0 && !this.#options.force) {
      const message =
        `the extent lacks the last ${missing} of its ${sizeBytes} bytes (--force shows zeros there)`;
      throw damaged(file.path, `${file.path}: ${message}`);
    }
    const { readOnly, begin } = this.#options;
    const disk = new FilePart(file, hostOffset, sizeBytes);
    const writing = readOnly ? undefined : new PlainWriting(file, hostOffset, begin);
    return { disk, sparse: undefined, writing };
  }

  #openSparse(line: ExtentLine, start: number): Piece {
    const { file: name = "" } = line;
    const isShared = this.#files.has(name);
    const file = this.#fileOf(line);
    if (isShared) this.#refuseShared(file);
    this.#sparse.add(name);
    const kind = kindOf(headOf(file));
    if (kind === undefined) throw damaged(file.path, `${file.path}: this is no sparse extent`);
    const disk = kind.open(file, { ...this.#options, start });
    if (disk.sizeBytes === line.sizeBytes) {
      return { disk, sparse: disk, writing: disk.writing };
    }
    const message = `the extent has ${disk.sizeBytes} bytes, its descriptor says ${line.sizeBytes}`;
    throw damaged(file.path, `${file.path}: ${message}`);
  }

  /** As often as it is named, it is opened once. */
  #fileOf({ file: name, access }: ExtentLine): ImageFile {
    if (name === undefined) throw damaged(this.#by.path, "there is an extent without a file");
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const { related } = this.#options;
    if (related === undefined) throw this.#unsupported("extents in other files");
    const readOnly = this.#options.readOnly || access !== "RW";
    const file = related.openPiece(this.#by, pathsOf(name), { readOnly });
    this.#files.set(name, file);
    return file;
  }

  /** What one extent has as tables or grains is no other one's. */
  #refuseShared({ path }: ImageFile): never {
    throw damaged(this.#by.path, `${path}: a sparse extent shares its file with another one`);
  }

  #unsupported(feature: string): Error {
    return unsupported(this.#by.path, feature);
  }
}

/** What a name may mean: nothing says on which system it was recorded. */
export function pathsOf(path: string): RecordedPath[] {
  const plain: RecordedPath = { kind: "plain", path };
  return path.includes("\\") ? [plain, { kind: "windows", path }] : [plain];
}
