/**
 * What a daemon hands over before its device is used, for another one to take its place if it is killed:
 * what it serves, the image's files, open and locked as they are, and the keys of the image's disks. An
 * open file is shared by who has a descriptor of it: it stays locked, without a gap, as long as one is left.
 *
 *     daemon ── descriptors: keys, served, files ── [{"path":…},…] ──> command ──> watcher
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { KeyRing } from "../image/key_ring.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SpoolFile } from "../storage/spool_file.ts";
import { TemporaryFile } from "../storage/temporary_file.ts";
import { receiveDescriptors, sendDescriptors } from "../sys/descriptor_passing.ts";
import { Fd, readText, writeText } from "../sys/files.ts";
import { endSending } from "../sys/sockets.ts";
import { DaemonFd, type InheritedFile } from "./job.ts";
import { countsOf, type DescriptorCounts, inOrder, takenApart } from "./job_descriptors.ts";
import { makeKeyFile } from "./key_file.ts";

/** A message has room for 253 descriptors: an image of more files is not handed over. */
const MAX_DESCRIPTORS = 200;

/** What a daemon has to hand over. */
export interface Estate {
  readonly access: ImageAccess;
  readonly keys: KeyRing;
  readonly served: readonly number[];
}

/** What follows the descriptors. */
interface Inventory {
  readonly files: readonly InheritedFile[];
  readonly descriptors: DescriptorCounts;
}

/**
 * Hands it over to the command, which has asked for it.
 *
 * @throws {SystemError} EPIPE if that has been killed
 */
export function handOver({ access, keys, served }: Estate): void {
  using keyFile = makeKeyFile(keys);
  const lists = {
    served,
    keys: keyFile === undefined ? [] : [keyFile.number],
    files: access.files.map(({ fd }) => fd),
  };
  const fds = inOrder(lists);
  if (fds.length <= MAX_DESCRIPTORS) {
    const files = access.files.map(described);
    const inventory: Inventory = { files, descriptors: countsOf(lists) };
    sendDescriptors(DaemonFd.Job, fds);
    writeText(DaemonFd.Job, JSON.stringify(inventory));
  }
  endSending(DaemonFd.Job);
}

function described(file: ImageFile): InheritedFile {
  const { path } = file;
  if (file instanceof SpoolFile) return { path, kind: "spool" };
  if (!(file instanceof TemporaryFile)) return { path, kind: "image" };
  const { limitBytes } = file;
  return { path, kind: "temporary", ...(limitBytes === Infinity ? {} : { limitBytes }) };
}

/** What was handed over, the receiver's to close. */
export interface HandedOver extends Disposable {
  readonly files: readonly InheritedFile[];
  readonly descriptors: Readonly<Record<"served" | "keys" | "files", readonly number[]>>;
}

/**
 * Receives what {@link handOver} has sent.
 *
 * @returns undefined if the daemon cannot hand itself over, or has ended
 * @throws {SystemError} as recvmsg(2)
 */
export function receiveHandOver(socket: number): HandedOver | undefined {
  const fds = receiveDescriptors(socket);
  if (fds.length === 0) return undefined;
  using all = new DisposableStack();
  for (const fd of fds) all.use(new Fd(fd));
  const text = readText(socket);
  if (text === "") return undefined;
  const { files, descriptors } = JSON.parse(text) as Inventory;
  const { served = [], keys = [], files: numbers = [] } = takenApart(fds, descriptors);
  const owned = all.move();
  return {
    files,
    descriptors: { served, keys, files: numbers },
    [Symbol.dispose]: () => owned.dispose(),
  };
}
