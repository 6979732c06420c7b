/**
 * What clients say of metadata contexts in NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT.
 *
 * @module
 */
import { BASE_ALLOCATION, MAX_NAME_BYTES } from "./protocol.ts";

export interface MetaContextRequest {
  readonly exportName: Uint8Array;
  /** Whether one of the queries names the context `base:allocation`. */
  readonly selectsAllocation: boolean;
  /** Whether that context is among those to be listed: all are, where there is no query. */
  readonly listsAllocation: boolean;
}

/** Reads u32 length, export name, u32 number of queries, and for each u32 length, query. */
class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.length);
  }

  get atEnd(): boolean {
    return this.#at === this.#data.length;
  }

  u32(): number | undefined {
    if (this.#at + 4 > this.#data.length) return undefined;
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  /** Bytes whose number is in front of them. */
  counted(): Uint8Array | undefined {
    const length = this.u32();
    if (length === undefined || length > MAX_NAME_BYTES) return undefined;
    if (this.#at + length > this.#data.length) return undefined;
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
}

/** The option's data; undefined if the lengths in it do not fit. */
export function parseMetaContexts(data: Uint8Array): MetaContextRequest | undefined {
  const reader = new Reader(data);
  const exportName = reader.counted();
  const count = reader.u32();
  if (exportName === undefined || count === undefined) return undefined;
  const queries = new Set<string>();
  for (let left = count; left > 0; left--) {
    const query = reader.counted();
    if (query === undefined) return undefined;
    queries.add(new TextDecoder().decode(query));
  }
  if (!reader.atEnd) return undefined;
  const selectsAllocation = queries.has(BASE_ALLOCATION.name);
  const listsAllocation = selectsAllocation || queries.has("base:") || count === 0;
  return { exportName, selectsAllocation, listsAllocation };
}
