/**
 * Committing an overlay: what it has is written to the image below it, and then it has nothing.
 *
 *     overlay   . . A A . B . .          . . . . . . . .
 *     image     x x x x x x x x   ───>   x x A A x B x x
 *
 * Whenever that is interrupted, the overlay shows what it has shown: it keeps what it has until the image
 * has all of it, durably. So it can be begun anew.
 *
 * @module
 */
import { Chain, type Layer } from "../disk/chain.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { lockImage } from "../disk/lock.ts";
import { openImage } from "../disk/open.ts";
import { openToWrite } from "../disk/open_file.ts";
import { driverFor } from "../disk/probe.ts";
import { ReadRequest } from "../disk/reader.ts";
import type { ImageRequest } from "../disk/request.ts";
import { Run } from "../disk/runs.ts";
import type { KeyRing } from "../image/key_ring.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { IoBuffer } from "../sys/memory.ts";
import { WholeChanges } from "./whole_changes.ts";

/** So much is copied at once. */
const COPIED_BYTES = 1024 * 1024;
const SECTOR_BYTES = 512;

export interface CommitOptions {
  readonly keys: KeyRing;
  /** Is told which part of the disk has been looked at: 0 up to 1. */
  readonly progress: (part: number) => void;
}

/**
 * Commits the overlay at `path`.
 *
 * @throws {Error} if that cannot be done, or not all of it
 */
export function commitOverlay(path: string, request: ImageRequest, options: CommitOptions): void {
  const { keys, progress } = options;
  using file = openForWriting(path);
  using chain = new Chain({ file, driver: driverFor(request.format, file) }, { request });
  const base = openBase(chain);
  const format = chain.layers[0]?.driver.name ?? "";
  // What lies below it is not to be read here: only what it has itself.
  using overlay = openImage(file, { ...request, format, noBacking: true }, { keys });
  const { file: baseFile, driver } = base;
  const { namesFolder: _folder, ...below } = request;
  using image = openImage(baseFile, { ...below, format: driver.name }, { keys });
  const changes = new WholeChanges(image);
  changes.concluding(() => {
    makeRoom(image, overlay, changes);
    copy(overlay, { changes, progress });
  });
  const emptying = new WholeChanges(overlay);
  emptying.concluding(() => emptying.empty());
}

function openForWriting(path: string): ImageFile {
  const file = openToWrite(path);
  lockImage(file, "write");
  return file;
}

/** The image below, to be written to. */
function openBase(chain: Chain): Layer {
  const [overlay] = chain.layers;
  const backing = overlay?.driver.info?.(overlay.file).backing;
  if (overlay === undefined || backing === undefined) throw new Error("it has no backing file");
  const base = chain.openLayer(overlay.file, { backing }, "write");
  if (base === undefined) throw new Error("its backing file is left out");
  if (base.driver.writable) return base;
  throw new Error(`${base.file.path}: the ${base.driver.name} driver only reads`);
}

/** Has the disk below be as large as it has to be; throws as {@link WholeChanges.grow}. */
function makeRoom(image: ImageAccess, overlay: ImageAccess, changes: WholeChanges): void {
  const { sizeBytes } = overlay;
  if (image.sizeBytes >= sizeBytes) return;
  const lastSector = image.sizeBytes - image.sizeBytes % SECTOR_BYTES;
  // As in qemu, a file need not end with a whole sector.
  if (lastSector + SECTOR_BYTES >= sizeBytes && !hasSomething(overlay, lastSector)) return;
  changes.grow(sizeBytes);
}

/** Whether an image has something of its own behind `offset`. */
function hasSomething(image: ImageAccess, offset: number): boolean {
  const run = new Run();
  for (let at = offset; at < image.sizeBytes; at += run.lengthBytes) {
    image.findRun(at, image.sizeBytes - at, run);
    if (run.isPresent) return true;
  }
  return false;
}

interface Copying {
  readonly changes: WholeChanges;
  readonly progress: CommitOptions["progress"];
}

/** Writes all that an image has itself. */
function copy(from: ImageAccess, { changes, progress }: Copying): void {
  const run = new Run();
  // What is stored is copied, be it zeros.
  run.seesHoles = false;
  const buffer = IoBuffer.ofPages(COPIED_BYTES);
  const request = new ReadRequest();
  for (let at = 0; at < from.sizeBytes; at += run.lengthBytes) {
    from.findRun(at, Math.min(COPIED_BYTES, from.sizeBytes - at), run);
    progress(at / from.sizeBytes);
    if (!run.isPresent) continue;
    if (run.isZero) {
      changes.writeZeros(at, run.lengthBytes);
      continue;
    }
    if (!from.read(request.ask(at, run.lengthBytes).into(buffer, 0))) {
      throw new Error("a read that may wait has not been made");
    }
    changes.write(buffer, at, run.lengthBytes);
  }
}
