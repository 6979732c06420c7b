/**
 * The channels of one thread: each protocol's way to its loop.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { FuseChannel } from "../fuse/fuse_channel.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { FuseTree } from "../fuse/fuse_tree.ts";
import type { LoopContext } from "../loop/loop_context.ts";
import { ServeLoop } from "../loop/serve_loop.ts";
import { BufferBudget } from "../nbd/buffer_budget.ts";
import { describeExport, type ExportDescription } from "../nbd/export.ts";
import { NbdChannel } from "../nbd/nbd_channel.ts";
import { setNonBlocking } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import { ServedContent } from "../view/served_content.ts";
import type { ServedLayout } from "../view/served_layout.ts";

/** The file of a FUSE session. */
export interface FuseFile {
  /** It has the image's path. */
  readonly imagePath: string;
  /** It is as long as whole sectors of this size. */
  readonly sectorBytes: number;
  /** What else there is besides the disk, if it is served for a view. */
  readonly servedLayout?: ServedLayout;
}

/** A thread's loop, and what it can serve. */
export class Channels {
  readonly loop: ServeLoop;
  readonly #access: ImageAccess;
  readonly #buffers = new BufferBudget();

  constructor(context: Omit<LoopContext, "room">) {
    this.#access = context.access;
    this.loop = new ServeLoop({ ...context, room: this.#buffers });
  }

  /** What NBD clients are told; the size can change. */
  get description(): ExportDescription {
    return describeExport(this.#access);
  }

  /** Serves a socket that is already in the transmission phase: the kernel's. */
  addKernelSocket(fd: number): void {
    this.#addNbd(fd, undefined);
  }

  /** Serves a client that has just connected, beginning with the handshake. */
  addClient(fd: number): void {
    this.#addNbd(fd, this.description);
  }

  /** Where there is no memory for one more client, only that one has to go. */
  #addNbd(fd: number, greeted: ExportDescription | undefined): void {
    const { loop } = this;
    try {
      const budget = this.#buffers;
      loop.addChannel(new NbdChannel(fd, loop.executor, { greeted, budget }));
    } catch (error) {
      loop.dropConnection(fd, reasonOf(error));
    }
  }

  /**
   * Serves a FUSE session.
   *
   * @throws {Error} where there is a want of memory or descriptors
   */
  addFuse(fd: number, { imagePath, sectorBytes, servedLayout }: FuseFile): void {
    setNonBlocking(fd);
    const content = servedLayout === undefined
      ? this.#access
      : new ServedContent(this.#access, servedLayout);
    const tree = new FuseTree(diskPath(imagePath), content, sectorBytes);
    this.loop.addChannel(new FuseChannel(fd, this.loop.executor, { tree, content }));
  }
}
