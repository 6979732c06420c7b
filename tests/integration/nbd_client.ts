/**
 * A small NBD client over a Unix socket, one request at a time.
 *
 * @module
 */
import {
  Command,
  CommandFlag,
  GREETING,
  Option,
  OPTION_MAGIC,
  SIMPLE_REPLY,
} from "../../src/nbd/protocol.ts";
import { joined } from "../../src/sys/joined.ts";
import type { Op } from "../format/qcow/write/random_ops.ts";
import { encodeRequest, type RequestFields } from "../nbd/wire.ts";

/** The server's answer to a request that it did not carry out. */
export class NbdFailure extends Error {
  override readonly name = "NbdFailure";

  constructor(readonly number: number) {
    super(`NBD error ${number}`);
  }
}

export class NbdClient implements Disposable {
  readonly #socket: Deno.UnixConn;
  #cookie = 0n;
  #isClosed = false;

  private constructor(socket: Deno.UnixConn) {
    this.#socket = socket;
  }

  /** Connects and is greeted. */
  static async open(path: string): Promise<NbdClient> {
    const client = new NbdClient(await Deno.connect({ transport: "unix", path }));
    try {
      await client.receiveRaw(GREETING.size);
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** Connects and gets through the handshake. */
  static async connect(path: string): Promise<NbdClient> {
    const client = await NbdClient.open(path);
    await client.sendRaw(clientFlagsAndExportName());
    const sizeAndFlags = 10;
    await client.receiveRaw(sizeAndFlags);
    return client;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#request({ command: Command.Read, offset, length });
    return await this.receiveRaw(length);
  }

  /** Asks for all ranges at once; they have the same length. */
  async readMany(offsets: readonly number[], length: number): Promise<Uint8Array[]> {
    const requests = offsets.map((offset, n) =>
      encodeRequest({ command: Command.Read, cookie: BigInt(n), offset, length })
    );
    await this.sendRaw(joined(requests));
    const found: Uint8Array[] = [];
    for (const _ of offsets) {
      const head = new DataView((await this.receiveRaw(SIMPLE_REPLY.size)).buffer);
      const error = head.getUint32(SIMPLE_REPLY.error);
      if (error !== 0) throw new NbdFailure(error);
      found[Number(head.getBigUint64(SIMPLE_REPLY.cookie))] = await this.receiveRaw(length);
    }
    return found;
  }

  async write(offset: number, payload: Uint8Array): Promise<void> {
    await this.#request({ command: Command.Write, offset, payload });
  }

  /** @param keep whether the zeros are to keep their space */
  async writeZeros(offset: number, length: number, keep = false): Promise<void> {
    const flags = keep ? CommandFlag.NoHole : 0;
    await this.#request({ command: Command.WriteZeroes, offset, length, flags });
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.#request({ command: Command.Trim, offset, length });
  }

  /** Asks for a change, or a flush, of a random series. */
  async change(op: Op): Promise<void> {
    switch (op.kind) {
      case "write":
        return await this.write(op.offset, op.bytes);
      case "zeros":
        return await this.writeZeros(op.offset, op.length, op.keep);
      case "discard":
        return await this.discard(op.offset, op.length);
      case "flush":
        return await this.flush();
    }
  }

  async flush(): Promise<void> {
    await this.#request({ command: Command.Flush });
  }

  /** @throws {NbdFailure} if the server says no, and whatever the socket throws */
  async #request(fields: Omit<RequestFields, "cookie">): Promise<void> {
    const cookie = this.#cookie++;
    await this.sendRaw(encodeRequest({ ...fields, cookie }));
    const head = new DataView((await this.receiveRaw(SIMPLE_REPLY.size)).buffer);
    if (head.getBigUint64(SIMPLE_REPLY.cookie) !== cookie) throw new Error("a stray reply");
    const error = head.getUint32(SIMPLE_REPLY.error);
    if (error !== 0) throw new NbdFailure(error);
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  async receiveRaw(lengthBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes;) {
      const count = await this.#socket.read(bytes.subarray(at));
      if (count === null) throw new Deno.errors.UnexpectedEof("the server has hung up");
      at += count;
    }
    return bytes;
  }

  /** Waits until the server has hung up. */
  async ended(): Promise<void> {
    const rest = new Uint8Array(1024);
    try {
      while (await this.#socket.read(rest) !== null);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }

  /** Hangs up without a word. */
  close(): void {
    if (!this.#isClosed) this.#socket.close();
    this.#isClosed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** No zeroes, fixed newstyle; NBD_OPT_EXPORT_NAME with the empty name. */
function clientFlagsAndExportName(): Uint8Array {
  const bytes = new Uint8Array(4 + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 3);
  view.setUint32(4, OPTION_MAGIC[0]);
  view.setUint32(8, OPTION_MAGIC[1]);
  view.setUint32(12, Option.ExportName);
  return bytes;
}
