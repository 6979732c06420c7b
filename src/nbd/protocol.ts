/**
 * Numbers and layouts of the NBD protocol (NetworkBlockDevice/nbd, doc/proto.md). Everything on the
 * wire is big-endian; offsets below are bytes from the start of the message.
 *
 * @module
 */

/** `NBDMAGIC`, the first eight bytes of a server's greeting. */
export const INIT_MAGIC = [0x4e42444d, 0x41474943] as const;
/** `IHAVEOPT`, in the greeting and before each option. */
export const OPTION_MAGIC = [0x49484156, 0x454f5054] as const;
export const OPTION_REPLY_MAGIC = [0x0003e889, 0x045565a9] as const;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Greeting: INIT_MAGIC, OPTION_MAGIC, u16 handshake flags. */
export const GREETING = { size: 18, magic: 0, option: 8, flags: 16 } as const;
/** Client's answer: u32 flags. */
export const CLIENT_FLAGS_BYTES = 4;
/** Option: OPTION_MAGIC, u32 type, u32 length, data. */
export const OPTION = { size: 16, magic: 0, type: 8, length: 12 } as const;
/** Option reply: OPTION_REPLY_MAGIC, u32 option, u32 reply type, u32 length, data. */
export const OPTION_REPLY = { size: 20, magic: 0, option: 8, type: 12, length: 16 } as const;
/** What follows NBD_OPT_EXPORT_NAME: u64 size, u16 transmission flags, 124 zeros if asked for. */
export const EXPORT_NAME_REPLY = { size: 10, bytes: 0, flags: 8, zeroes: 124 } as const;
/** NBD_INFO_EXPORT: u16 type, u64 size, u16 transmission flags. */
export const INFO_EXPORT = { size: 12, type: 0, bytes: 2, flags: 10 } as const;
/** NBD_INFO_BLOCK_SIZE: u16 type, u32 minimum, preferred and maximum size. */
export const INFO_BLOCK_SIZE = {
  size: 14,
  type: 0,
  minimum: 2,
  preferred: 6,
  maximum: 10,
} as const;
/** Request: magic, u16 flags, u16 type, u64 cookie, u64 offset, u32 length, data of a write. */
export const REQUEST = {
  size: 28,
  magic: 0,
  flags: 4,
  type: 6,
  cookie: 8,
  offset: 16,
  length: 24,
} as const;
/** Simple reply: magic, u32 error, u64 cookie, data of a read that succeeded. */
export const SIMPLE_REPLY = { size: 16, magic: 0, error: 4, cookie: 8 } as const;

/** Chunk of a structured reply: magic, u16 flags, u16 type, u64 cookie, u32 length of what follows. */
export const CHUNK = { size: 20, magic: 0, flags: 4, type: 6, cookie: 8, length: 16 } as const;
/** What follows in a data chunk: u64 offset, data. */
export const CHUNK_DATA = { size: 8, offset: 0 } as const;
/** What follows in a hole chunk: u64 offset, u32 length in bytes. */
export const CHUNK_HOLE = { size: 12, offset: 0, length: 8 } as const;
/** What follows in an error chunk: u32 error, u16 length of a message, the message. */
export const CHUNK_ERROR = { size: 6, error: 0, messageLength: 4 } as const;
/** What follows in a block status chunk: u32 context, descriptors. */
export const CHUNK_BLOCK_STATUS = { size: 4, context: 0 } as const;
/** Descriptor in a block status chunk: u32 length in bytes, u32 state. */
export const DESCRIPTOR = { size: 8, length: 0, state: 4 } as const;

/** Handshake flags; client and server use the same bits. */
export const HandshakeFlag = { FixedNewstyle: 1, NoZeroes: 2 } as const;

export const Option = {
  ExportName: 1,
  Abort: 2,
  List: 3,
  StartTls: 5,
  Info: 6,
  Go: 7,
  StructuredReply: 8,
  ListMetaContext: 9,
  SetMetaContext: 10,
} as const;

const ERROR_REPLY = 0x80000000;

export const OptionReply = {
  Ack: 1,
  Server: 2,
  Info: 3,
  MetaContext: 4,
  ErrUnsupported: ERROR_REPLY + 1,
  ErrInvalid: ERROR_REPLY + 3,
  ErrUnknown: ERROR_REPLY + 6,
  ErrTooBig: ERROR_REPLY + 9,
} as const;

export const Info = { Export: 0, BlockSize: 3 } as const;

/** What an export can do; the kernel takes the same bits as NBD_ATTR_SERVER_FLAGS. */
export const TransmissionFlag = {
  HasFlags: 1,
  ReadOnly: 2,
  SendFlush: 4,
  SendFua: 8,
  SendTrim: 32,
  SendWriteZeroes: 64,
  SendDontFragment: 128,
  CanMultiConn: 256,
  SendFastZero: 2048,
} as const;

export const Command = {
  Read: 0,
  Write: 1,
  Disconnect: 2,
  Flush: 3,
  Trim: 4,
  WriteZeroes: 6,
  BlockStatus: 7,
} as const;

export const CommandFlag = {
  Fua: 1,
  NoHole: 2,
  DontFragment: 4,
  RequestOne: 8,
  FastZero: 16,
} as const;

/** The flag of a reply's last chunk. */
export const CHUNK_DONE = 1;

export const ChunkType = {
  None: 0,
  OffsetData: 1,
  OffsetHole: 2,
  BlockStatus: 5,
  Error: 0x8001,
} as const;

/** The metadata context of block status, and the number it goes by on the wire. */
export const BASE_ALLOCATION = { name: "base:allocation", id: 1 } as const;

/** Bits of a descriptor of {@link BASE_ALLOCATION}. */
export const BlockState = { Hole: 1, Zero: 2 } as const;

/** Error numbers the protocol allows in replies. */
export const NbdError = {
  None: 0,
  Perm: 1,
  Io: 5,
  NoMem: 12,
  Inval: 22,
  NoSpc: 28,
  NotSup: 95,
} as const;

/** Longest payload accepted or sent, in bytes: what clients may rely on without asking. */
export const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;
/** Longest export name, in bytes. */
export const MAX_NAME_BYTES = 4096;
/** Longest option data that is looked at; longer options are refused, far longer ones not read. */
export const MAX_OPTION_BYTES = 64 * 1024;
