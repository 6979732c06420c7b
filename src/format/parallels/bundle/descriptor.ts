/**
 * The descriptor of a disk that is a folder, `DiskDescriptor.xml` (qemu, docs/interop/prl-xml.txt).
 *
 *     Parallels_disk_image
 *       Disk_Parameters   Disk_size, Padding, ...
 *       StorageData
 *         Storage         a part of the disk: Start, End
 *           Image ...     what each snapshot has of it: GUID, Type, File
 *       Snapshots
 *         TopGUID         which one is active
 *         Shot ...        GUID, ParentGUID
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../../image/errors.ts";
import { PARALLELS } from "../../../image/formats.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../../sys/memory.ts";
import { elementsNamed, parseXml, textAt, type XmlElement } from "../../kit/xml.ts";
import { SECTOR_BYTES } from "../layout.ts";
import { ROOT } from "./mark.ts";

/** What Parallels calls the disk without snapshots, and what is below it. */
const DEFAULT_TOP = "{5fbaabe3-6958-40ff-92a7-860e329aab41}";
const NOTHING = "{00000000-0000-0000-0000-000000000000}";
const MAX_DESCRIPTOR_BYTES = 1024 * 1024;
const MAX_STORAGES = 4096;
/** As many snapshots below each other as a chain may have. */
const MAX_SNAPSHOTS = 64;

/** A file that has a part of the disk, as a snapshot left it. */
export interface StorageImage {
  readonly type: "Compressed" | "Plain";
  /** As recorded: it may be absolute, and of another machine. */
  readonly name: string;
}

/** A part of the disk. */
export interface Storage {
  readonly sizeBytes: number;
  /** From the active disk down: what the first one does not have, the next one may. */
  readonly images: readonly StorageImage[];
}

/** What a descriptor says. */
export interface Descriptor {
  readonly sizeBytes: number;
  /** Size of sectors, if that is not 512. */
  readonly sectorBytes: number | undefined;
  readonly clusterBytes: number;
  /** One behind the other. */
  readonly storages: readonly Storage[];
  /** How many snapshots lie below the active disk. */
  readonly snapshots: number;
}

/**
 * Reads and checks it.
 *
 * @throws {ImageFormatError} if it is damaged
 * @throws {UnsupportedFeatureError} if the disk is encrypted, or has padding
 * @throws {SystemError} if it cannot be read
 */
export function readDescriptor(file: ImageFile): Descriptor {
  const { path } = file;
  try {
    return new DescriptorReader(parseXml(textIn(file)), path).read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImageFormatError(PARALLELS.name, path, `the descriptor is damaged: ${error.message}`);
  }
}

function textIn(file: ImageFile): string {
  if (file.sizeBytes > MAX_DESCRIPTOR_BYTES) throw new RangeError("it is too long");
  const buffer = new IoBuffer(file.sizeBytes);
  file.read(buffer, 0, 0, buffer.size);
  return textOf(buffer.bytes);
}

/** Makes sense of the elements; throws {RangeError} where there is none. */
class DescriptorReader {
  readonly #root: XmlElement;
  readonly #path: string;

  constructor(root: XmlElement, path: string) {
    this.#root = root;
    this.#path = path;
  }

  read(): Descriptor {
    if (this.#root.name !== ROOT) throw new RangeError("it is of something else");
    this.#refuseFeatures();
    const parameters = (name: string): string | undefined =>
      textAt(this.#root, "Disk_Parameters", name);
    const sizeBytes = numberIn(parameters("Disk_size"), "Disk_size") * SECTOR_BYTES;
    const sectorBytes = numberIn(parameters("LogicSectorSize") ?? "512", "LogicSectorSize");
    const chain = this.#chain();
    const found = this.#storages();
    const [first] = found;
    if (first === undefined) throw new RangeError("it has no Storage");
    const end = found.reduce((at, storage) => {
      if (sectorsOf(storage, "Start") === at) return sectorsOf(storage, "End");
      throw new RangeError("its parts do not follow each other");
    }, 0);
    if (end * SECTOR_BYTES !== sizeBytes) throw new RangeError("its parts are not the whole disk");
    return {
      sizeBytes,
      sectorBytes: sectorBytes === SECTOR_BYTES ? undefined : sectorBytes,
      clusterBytes: sectorsOf(first, "Blocksize") * SECTOR_BYTES,
      storages: found.map((storage) => storageOf(storage, chain)),
      snapshots: chain.length - 1,
    };
  }

  #refuseFeatures(): void {
    const refuse = (feature: string): never => {
      throw new UnsupportedFeatureError(PARALLELS.name, this.#path, feature);
    };
    const padding = textAt(this.#root, "Disk_Parameters", "Padding") ?? "0";
    if (padding !== "0") refuse("padding");
    const engine = textAt(this.#root, "Disk_Parameters", "Encryption", "Engine") ?? "";
    if (engine !== "" && engine !== NOTHING) refuse("encryption");
  }

  #storages(): XmlElement[] {
    const data = this.#root.elements.find(({ name }) => name === "StorageData");
    const found = data === undefined ? [] : elementsNamed(data, "Storage");
    if (found.length > MAX_STORAGES) throw new RangeError("it has too many parts");
    return found.toSorted((a, b) => sectorsOf(a, "Start") - sectorsOf(b, "Start"));
  }

  /** The active disk, and what lies below it. */
  #chain(): string[] {
    const snapshots = this.#root.elements.find(({ name }) => name === "Snapshots");
    const shots = snapshots === undefined ? [] : elementsNamed(snapshots, "Shot");
    const parents = new Map(
      shots.map((shot) => [guidIn(shot, "GUID"), guidIn(shot, "ParentGUID")]),
    );
    const chain: string[] = [];
    let guid = textAt(this.#root, "Snapshots", "TopGUID")?.toLowerCase() ?? DEFAULT_TOP;
    for (; guid !== NOTHING && guid !== ""; guid = parents.get(guid) ?? NOTHING) {
      if (chain.includes(guid)) throw new RangeError("its snapshots are a loop");
      if (chain.length > MAX_SNAPSHOTS) throw new RangeError("it has too many snapshots");
      chain.push(guid);
    }
    return chain;
  }
}

function storageOf(storage: XmlElement, chain: readonly string[]): Storage {
  const sizeBytes = (sectorsOf(storage, "End") - sectorsOf(storage, "Start")) * SECTOR_BYTES;
  if (sizeBytes <= 0) throw new RangeError("a part of it has no size");
  const images = elementsNamed(storage, "Image");
  return { sizeBytes, images: chain.map((guid) => imageOf(images, guid)) };
}

function imageOf(images: readonly XmlElement[], guid: string): StorageImage {
  const image = images.find((element) => guidIn(element, "GUID") === guid);
  if (image === undefined) throw new RangeError(`a part of it lacks the image ${guid}`);
  const type = textAt(image, "Type") ?? "";
  const name = textAt(image, "File") ?? "";
  if (type !== "Compressed" && type !== "Plain") {
    throw new RangeError(`it has an image of the type '${type.slice(0, 20)}'`);
  }
  if (name === "") throw new RangeError("it has an image without a file");
  return { type, name };
}

function guidIn(element: XmlElement, name: string): string {
  return textAt(element, name)?.toLowerCase() ?? "";
}

function sectorsOf(element: XmlElement, name: string): number {
  return numberIn(textAt(element, name), name);
}

function numberIn(text: string | undefined, name: string): number {
  const number = /^\d+$/.test(text ?? "") ? Number(text) : NaN;
  if (Number.isSafeInteger(number * SECTOR_BYTES)) return number;
  throw new RangeError(text === undefined ? `it has no ${name}` : `its ${name} is no number`);
}
