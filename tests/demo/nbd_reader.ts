/**
 * The smallest NBD client that can read: enough to look into an export without any other tool.
 *
 * @module
 */

const REQUEST_MAGIC = 0x25609513;
const OPT_EXPORT_NAME = 1;
const FIXED_NEWSTYLE_NO_ZEROES = 3;

/** Reads bytes of the export without a name behind a Unix socket. */
export async function readExport(
  socketPath: string,
  offset: number,
  lengthBytes: number,
): Promise<Uint8Array> {
  using connection = await Deno.connect({ transport: "unix", path: socketPath });
  await receive(connection, 18);
  const hello = new DataView(new ArrayBuffer(20));
  hello.setUint32(0, FIXED_NEWSTYLE_NO_ZEROES);
  new Uint8Array(hello.buffer).set(new TextEncoder().encode("IHAVEOPT"), 4);
  hello.setUint32(12, OPT_EXPORT_NAME);
  await send(connection, hello);
  await receive(connection, 10);
  const request = new DataView(new ArrayBuffer(28));
  request.setUint32(0, REQUEST_MAGIC);
  request.setBigUint64(16, BigInt(offset));
  request.setUint32(24, lengthBytes);
  await send(connection, request);
  const reply = await receive(connection, 16);
  const error = new DataView(reply.buffer).getUint32(4);
  if (error !== 0) throw new Error(`the server answered with error ${error}`);
  return await receive(connection, lengthBytes);
}

async function send(connection: Deno.UnixConn, message: DataView<ArrayBuffer>): Promise<void> {
  const bytes = new Uint8Array(message.buffer);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function receive(connection: Deno.UnixConn, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const got = await connection.read(bytes.subarray(at));
    if (got === null) throw new Error("the server closed the connection");
    at += got;
  }
  return bytes;
}
