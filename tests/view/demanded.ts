/**
 * Metadata that are made on demand, read as a whole.
 *
 * @module
 */
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { ReadRequest } from "../../src/disk/reader.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { encodeHead } from "../../src/view/demand_layout.ts";
import type { FormedMetadata, ViewForm } from "../../src/view/form.ts";
import { ServedContent } from "../../src/view/served_content.ts";

/** What is served of a view with this form. */
export function contentOf(access: ImageAccess, form: ViewForm, path = "disk"): Served {
  const formed = form.metadata(path);
  const { leadBytes, demand, bytes } = formed;
  const layout = demand === undefined
    ? { leadBytes }
    : { leadBytes, metadata: { ...demand, head: encodeHead(bytes) } };
  return { formed, content: new ServedContent(access, layout) };
}

export interface Served {
  readonly formed: FormedMetadata;
  readonly content: ServedContent;
}

/** A part of it, waiting for it. */
export function readServed(
  content: ServedContent,
  offset: number,
  lengthBytes: number,
): Uint8Array<ArrayBuffer> {
  const buffer = new IoBuffer(lengthBytes);
  const request = new ReadRequest();
  if (!content.read(request.ask(offset, lengthBytes).into(buffer, 0))) throw new Error("blocked");
  return buffer.bytes.slice();
}

/** The disk as a view's device has it that shows what is served. */
export function servedBytes(disk: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4096 + Math.ceil(disk.length / 4096) * 4096);
  bytes.set(disk, 4096);
  return bytes;
}
