/**
 * FUSE requests about the tree of files rather than the disk's content.
 *
 * @module
 */
import { ENOENT, ENOSYS, EROFS } from "../sys/errno.ts";
import { O_RDONLY } from "../sys/files.ts";
import type { IoBuffer } from "../sys/memory.ts";
import type { FuseTree } from "./fuse_tree.ts";
import {
  ATTR_OUT,
  ENTRY_OUT,
  IN_HEADER,
  INIT_IN,
  INIT_OUT,
  InitFlag,
  MAX_IO_BYTES,
  MAX_PAGES,
  Opcode,
  OPEN_IN,
  OPEN_OUT,
  OpenFlag,
  OUT_HEADER,
  STATFS_OUT,
  VERSION,
} from "./protocol.ts";

/** Only this program changes the disk's attributes, and it tells the kernel when it does. */
const VALID_SECONDS = 24 * 3600;
const O_ACCMODE = 3;
/** Requests the kernel may have under way at once before it holds others back. */
const MAX_BACKGROUND = 128;

const BODY = OUT_HEADER.size;

/** Answers one session's requests about files and folders. */
export class NodeRequests {
  readonly #tree: FuseTree;
  readonly #readOnly: boolean;

  constructor(tree: FuseTree, options: { readOnly: boolean }) {
    this.#tree = tree;
    this.#readOnly = options.readOnly;
  }

  /**
   * Answers the request in `input`.
   *
   * @param output gets the reply's body, behind the place of its header
   * @returns the length of the body in bytes, or a negative error number
   */
  answer(
    opcode: number,
    node: number,
    { input, output }: { input: IoBuffer; output: IoBuffer },
  ): number {
    if (!this.#tree.has(node) && opcode !== Opcode.Init) return -ENOENT;
    switch (opcode) {
      case Opcode.Init:
        return negotiate(input.view, output);
      case Opcode.Lookup:
        return this.#lookUp(node, input, output);
      case Opcode.GetAttr:
        return this.#getAttributes(node, output);
      case Opcode.Open:
        return this.#open(input.view, output);
      case Opcode.StatFs:
        return statFs(output);
      case Opcode.Access:
      case Opcode.Flush:
      case Opcode.Release:
      case Opcode.Destroy:
        return 0;
      default:
        return -ENOSYS;
    }
  }

  #lookUp(parent: number, input: IoBuffer, output: IoBuffer): number {
    const length = input.view.getUint32(IN_HEADER.length, true);
    const name = input.bytes.subarray(IN_HEADER.size, length);
    const end = name.indexOf(0);
    const node = this.#tree.lookUp(parent, end < 0 ? name : name.subarray(0, end));
    if (node === 0) return -ENOENT;
    clear(output, ENTRY_OUT.size);
    const { view } = output;
    view.setUint32(BODY + ENTRY_OUT.nodeId, node, true);
    view.setUint32(BODY + ENTRY_OUT.entryValidSeconds, VALID_SECONDS, true);
    view.setUint32(BODY + ENTRY_OUT.attrValidSeconds, VALID_SECONDS, true);
    this.#tree.writeAttributes(node, view, BODY + ENTRY_OUT.attr);
    return ENTRY_OUT.size;
  }

  #getAttributes(node: number, output: IoBuffer): number {
    clear(output, ATTR_OUT.size);
    output.view.setUint32(BODY + ATTR_OUT.validSeconds, VALID_SECONDS, true);
    this.#tree.writeAttributes(node, output.view, BODY + ATTR_OUT.attr);
    return ATTR_OUT.size;
  }

  #open(view: DataView, output: IoBuffer): number {
    const flags = view.getUint32(IN_HEADER.size + OPEN_IN.flags, true);
    if (this.#readOnly && (flags & O_ACCMODE) !== O_RDONLY) return -EROFS;
    clear(output, OPEN_OUT.size);
    const open = OpenFlag.KeepCache | OpenFlag.ParallelDirectWrites;
    output.view.setUint32(BODY + OPEN_OUT.flags, open, true);
    return OPEN_OUT.size;
  }
}

/** FUSE_INIT: agrees with the kernel on sizes. An older kernel gets its own minor version back. */
function negotiate(input: DataView, output: IoBuffer): number {
  const { view } = output;
  const minor = Math.min(VERSION.minor, input.getUint32(IN_HEADER.size + INIT_IN.minor, true));
  const offered = input.getUint32(IN_HEADER.size + INIT_IN.flags, true);
  const { AsyncRead, BigWrites, AsyncDio, MaxPages } = InitFlag;
  clear(output, INIT_OUT.size);
  view.setUint32(BODY + INIT_OUT.major, VERSION.major, true);
  view.setUint32(BODY + INIT_OUT.minor, minor, true);
  view.setUint32(BODY + INIT_OUT.maxReadAhead, MAX_IO_BYTES, true);
  view.setUint32(
    BODY + INIT_OUT.flags,
    (offered & (AsyncRead | BigWrites | AsyncDio | MaxPages)) >>> 0,
    true,
  );
  view.setUint16(BODY + INIT_OUT.maxBackground, MAX_BACKGROUND, true);
  view.setUint16(BODY + INIT_OUT.congestionThreshold, MAX_BACKGROUND, true);
  view.setUint32(BODY + INIT_OUT.maxWrite, MAX_IO_BYTES, true);
  view.setUint32(BODY + INIT_OUT.timeGranularity, 1, true);
  view.setUint16(BODY + INIT_OUT.maxPages, MAX_PAGES, true);
  return INIT_OUT.size;
}

function statFs(output: IoBuffer): number {
  clear(output, STATFS_OUT.size);
  output.view.setUint32(BODY + STATFS_OUT.blockSize, 4096, true);
  output.view.setUint32(BODY + STATFS_OUT.nameLength, 255, true);
  output.view.setUint32(BODY + STATFS_OUT.fragmentSize, 4096, true);
  return STATFS_OUT.size;
}

function clear(output: IoBuffer, bytes: number): void {
  output.bytes.fill(0, BODY, BODY + bytes);
}
