// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExtensionType, HEADER, HEADER_V3_BYTES, SNAPSHOT } from "../../src/format/qcow/layout.ts";
import { buildImage, buildNamingImage, type Parts, put } from "../format/qcow/image_builder.ts";
import { programCommand } from "../support/program.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";

/** Images below each other. */
const IMAGES = 20;
const CLUSTER_BITS = 21;
const CLUSTER = 2 ** CLUSTER_BITS;
/** Where the name of the image below is. */
const NAME_OFFSET = CLUSTER - 1024;
const FILE_BYTES = 8 * CLUSTER;
const SNAPSHOTS = 65536;
/**
 * What a process may have of memory that is its own, be it used or not. The runtime asks for half of
 * it before it does anything.
 */
const DATA_LIMIT_BYTES = 1200 * 1024 * 1024;

type Bytes = Uint8Array<ArrayBuffer>;

/** What a chain of hostile images shall come to. */
interface Bomb {
  readonly name: string;
  /** The start of one that lies on `below`. */
  readonly head: (below: string) => Bytes;
  /** What `--map` complains of; undefined if it does not. */
  readonly map?: RegExp;
  readonly info?: RegExp;
}

const EMPTY_EXTENSION = Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0);
const EMPTY_NAMES = Uint8Array.of(0x68, 0x03, 0xf8, 0x57, 0, 0, 0, 0);
const TOO_MUCH = /the metadata of all images would take more than/;

const BOMBS: readonly Bomb[] = [
  { name: "empty extensions", head: (below) => filled(head(below), EMPTY_EXTENSION) },
  {
    name: "empty tables of feature names",
    head: (below) => filled(head(below, { incompatible_features: 1n << 60n }), EMPTY_NAMES),
    map: /unknown incompatible feature bit 60/,
    info: /unknown incompatible feature bit 60/,
  },
  {
    name: "a data file with a name of JSON",
    head: (below) => withDataFile(below, `json:${'{"b":1,"a":'.repeat(1e5)}1${"}".repeat(1e5)}`),
    map: /the name of the external data file is too long/,
    info: /the name of the external data file is too long/,
  },
  {
    name: "a data file with a name of quotes",
    head: (below) => withDataFile(below, `json:{"${'\\"'.repeat(9e5)}`),
    map: /the name of the external data file is too long/,
    info: /the name of the external data file is too long/,
  },
  { name: "snapshots", head: (below) => withSnapshots(below, 0), info: TOO_MUCH },
  { name: "snapshots with long names", head: (below) => withSnapshots(below, 900), info: TOO_MUCH },
];

for (const bomb of BOMBS) {
  oracleTest(`chains of images are no memory bombs: ${bomb.name}`, ["prlimit"], async () => {
    using folder = new TempDirectory();
    for (let level = 0; level < IMAGES; level++) {
      const path = folder.file(`${level}`);
      Deno.writeFileSync(path, level === IMAGES - 1 ? buildImage() : bomb.head(`${level + 1}`));
      if (Deno.statSync(path).size < FILE_BYTES) Deno.truncateSync(path, FILE_BYTES);
    }
    const path = folder.file("0");
    await check(["--map", "--file-fmt-type", "QCOW", path], bomb.map);
    await check(["--info", "--file-fmt-type", "QCOW", path], bomb.info);
  });
}

async function check(words: readonly string[], complaint: RegExp | undefined): Promise<void> {
  const { code, stderr } = await new Deno.Command("prlimit", {
    args: [`--data=${DATA_LIMIT_BYTES}`, "--core=0", ...programCommand(), ...words],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  if (complaint === undefined) return assertEquals([code, text], [0, ""]);
  assertEquals(code, 1, text.slice(0, 1000));
  assertMatch(text, complaint);
  assert(/^[^\n]+\n$/.test(text) && text.length < 1000, text.slice(0, 1000));
}

/** The first cluster, with room for extensions up to the name of the image below. */
function head(below: string, headerV3: Parts["headerV3"] = {}): Bytes {
  const bytes = buildNamingImage({ backing: "x" }, {
    clusterBits: CLUSTER_BITS,
    fileClusters: 3,
    header: { backing_file_offset: NAME_OFFSET, backing_file_size: below.length },
    headerV3,
  }).slice(0, CLUSTER);
  bytes.fill(0, HEADER_V3_BYTES);
  bytes.set(new TextEncoder().encode(below), NAME_OFFSET);
  return withExtension(bytes, ExtensionType.backingFormat, "qcow2");
}

function withExtension(bytes: Bytes, type: number, text: string): Bytes {
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER_V3_BYTES, type);
  view.setUint32(HEADER_V3_BYTES + 4, text.length);
  bytes.set(new TextEncoder().encode(text), HEADER_V3_BYTES + 8);
  return bytes;
}

/** All the room behind the first extension is filled with `extension`. */
function filled(bytes: Bytes, extension: Bytes): Bytes {
  for (let at = HEADER_V3_BYTES + 16; at < NAME_OFFSET; at += extension.length) {
    bytes.set(extension, at);
  }
  return bytes;
}

function withDataFile(below: string, name: string): Bytes {
  return withExtension(head(below, { incompatible_features: 4 }), ExtensionType.dataFile, name);
}

function withSnapshots(below: string, nameBytes: number): Bytes {
  const bytes = head(below);
  const entryBytes = SNAPSHOT.sizeBytes + Math.ceil(nameBytes / 8) * 8;
  const entry = new Uint8Array(entryBytes).fill(0x6e, SNAPSHOT.sizeBytes);
  put(new DataView(entry.buffer), 0, SNAPSHOT, { name_size: nameBytes });
  const whole = new Uint8Array(CLUSTER + SNAPSHOTS * entryBytes);
  whole.set(bytes);
  for (let at = CLUSTER; at < whole.length; at += entryBytes) whole.set(entry, at);
  const table = { nb_snapshots: SNAPSHOTS, snapshots_offset: CLUSTER };
  put(new DataView(whole.buffer), 0, HEADER, table);
  return whole;
}
