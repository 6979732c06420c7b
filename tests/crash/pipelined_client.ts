/**
 * An NBD client that has many requests under way at once, on one connection.
 *
 * @module
 */
import { Command, CommandFlag, SIMPLE_REPLY } from "../../src/nbd/protocol.ts";
import type { Op } from "../format/qcow/write/random_ops.ts";
import { NbdClient, NbdFailure } from "../integration/nbd_client.ts";
import { encodeRequest, type RequestFields } from "../nbd/wire.ts";

/** A request that has not been answered. */
interface Waiting {
  readonly dataBytes: number;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** After the server has gone, every request fails with {@link Deno.errors.UnexpectedEof} or as the socket does. */
export class PipelinedClient implements AsyncDisposable {
  readonly #client: NbdClient;
  readonly #waiting = new Map<bigint, Waiting>();
  readonly #receiving: Promise<void>;
  #sending: Promise<void> = Promise.resolve();
  #cookie = 0n;
  #failure: unknown;

  private constructor(client: NbdClient) {
    this.#client = client;
    this.#receiving = this.#receive();
  }

  static async connect(path: string): Promise<PipelinedClient> {
    return new PipelinedClient(await NbdClient.connect(path));
  }

  /** @throws {NbdFailure} if the server says no */
  async read(offset: number, length: number): Promise<Uint8Array> {
    return await this.#request({ command: Command.Read, offset, length });
  }

  /**
   * Asks for a change, or a flush.
   *
   * @param isDurable whether it is to be durable when it is answered
   * @throws {NbdFailure} if the server says no
   */
  async change(op: Op, isDurable = false): Promise<void> {
    await this.#request({ ...fieldsOf(op), ...isDurable ? durable(op) : {} });
  }

  async #request(fields: Omit<RequestFields, "cookie">): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure;
    const cookie = this.#cookie++;
    const dataBytes = fields.command === Command.Read ? fields.length ?? 0 : 0;
    const answered = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.set(cookie, { dataBytes, resolve, reject });
    });
    const bytes = encodeRequest({ ...fields, cookie });
    // That it cannot be sent is noticed where answers are received, too.
    this.#sending = this.#sending.then(() => this.#client.sendRaw(bytes)).catch(() => {});
    return await answered;
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const head = new DataView((await this.#client.receiveRaw(SIMPLE_REPLY.size)).buffer);
        await this.#answer(head);
      }
    } catch (error) {
      this.#failure = error;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    }
  }

  async #answer(head: DataView): Promise<void> {
    const cookie = head.getBigUint64(SIMPLE_REPLY.cookie);
    const waiting = this.#waiting.get(cookie);
    if (waiting === undefined) throw new Error("a stray reply");
    const error = head.getUint32(SIMPLE_REPLY.error);
    const data = await this.#client.receiveRaw(error === 0 ? waiting.dataBytes : 0);
    this.#waiting.delete(cookie);
    if (error === 0) waiting.resolve(data);
    else waiting.reject(new NbdFailure(error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#receiving;
    await this.#sending;
  }
}

function fieldsOf(op: Op): Omit<RequestFields, "cookie"> {
  switch (op.kind) {
    case "write":
      return { command: Command.Write, offset: op.offset, payload: op.bytes };
    case "zeros": {
      const flags = op.keep ? CommandFlag.NoHole : 0;
      return { command: Command.WriteZeroes, offset: op.offset, length: op.length, flags };
    }
    case "discard":
      return { command: Command.Trim, offset: op.offset, length: op.length };
    case "flush":
      return { command: Command.Flush };
  }
}

function durable(op: Op): Pick<RequestFields, "flags"> {
  if (op.kind === "flush") return {};
  const keep = op.kind === "zeros" && op.keep ? CommandFlag.NoHole : 0;
  return { flags: keep | CommandFlag.Fua };
}
