/**
 * Small images, one for each feature, made by qemu's tools, or byte by byte where those make none: what
 * hostile images are made from.
 *
 * @module
 */
import { findDriver } from "../../src/disk/registry.ts";
import { androidSparseOriginal } from "../format/android_sparse/original.ts";
import { bochsOriginal } from "../format/bochs/original.ts";
import { cloopOriginal } from "../format/cloop/original.ts";
import { sparseimageOriginal } from "../format/sparseimage/original.ts";
import { adoptVdi } from "../format/vdi/image_builder.ts";
import { adoptVhd } from "../format/vhd/image_builder.ts";
import { adoptVhdx } from "../format/vhdx/adopt.ts";
import { streamOriginals } from "../format/vmdk/original.ts";
import { must, mustDeriveKey } from "../support/tools.ts";

/** The passphrase of encrypted images. */
export const PASSPHRASE = "open sesame";
const SECRET = ["--object", `secret,id=key,data=${PASSPHRASE}`];
/** Each attempt derives keys: these take a millisecond, and few hashes to merge their stripes. */
const CHEAP_KEYS = ["cipher-alg=aes-128", "hash-alg=sha256", "iter-time=1"];
const ENCRYPTION = "encrypt.key-secret=key";

/** Long enough for every name of {@link HOSTILE_NAMES}. */
const BELOW = "below-the-image-with-quite-a-long-name-of-its-own";

/** One feature, and how its image is made. */
interface Victim {
  /** Format by qemu's name, and ours. */
  readonly format:
    | "qcow2"
    | "qcow"
    | "qed"
    | "parallels"
    | "vdi"
    | "vpc"
    | "vhdx"
    | "luks"
    | "vmdk"
    | "raw"
    | "built";
  readonly driver: string;
  /** What the image is that is built here. */
  readonly build?: () => Uint8Array;
  readonly create?: string;
  /** Format of the image below, if it has a name. */
  readonly below?: "raw" | "qcow2" | "vmdk";
  /** Makes it lie on an image of its own format, which it knows by its identity. */
  readonly adopt?: (child: string, parent: string) => void;
  /** How long its header is, if that is longer than those of QCOW, and in which order it has its bytes. */
  readonly headerBytes?: number;
  readonly littleEndian?: boolean;
  readonly compressed?: boolean;
  readonly snapshot?: string;
}

const QCOW = { format: "qcow2", driver: "QCOW" } as const;
const QED = {
  format: "qed",
  driver: "QED",
  littleEndian: true,
  create: "cluster_size=4k,table_size=2",
} as const;
const PARALLELS = {
  format: "parallels",
  driver: "PARALLELS",
  littleEndian: true,
  create: "cluster_size=4k",
} as const;
const VDI = { format: "vdi", driver: "VDI", headerBytes: 512, littleEndian: true } as const;
const VHD = { format: "vpc", driver: "VHD", headerBytes: 2048 } as const;
const VHDX = { format: "vhdx", driver: "VHDX", headerBytes: 4096, littleEndian: true } as const;
const VMDK = { format: "vmdk", driver: "VMDK", headerBytes: 2048, littleEndian: true } as const;
const BUILT = { format: "built" } as const;
const V3 = "compat=1.1,cluster_size=4096";

export const VICTIMS: Readonly<Record<string, Victim>> = {
  "version 2": { ...QCOW, create: "compat=0.10,cluster_size=512" },
  "version 3": { ...QCOW, create: `${V3},lazy_refcounts=on` },
  "zlib": { ...QCOW, create: V3, compressed: true },
  "zstd": { ...QCOW, create: `${V3},compression_type=zstd`, compressed: true },
  "extended L2": { ...QCOW, create: "compat=1.1,cluster_size=16384,extended_l2=on" },
  "snapshot": { ...QCOW, create: V3, snapshot: "before" },
  "raw below": { ...QCOW, create: V3, below: "raw" },
  "qcow2 below": { ...QCOW, create: V3, below: "qcow2" },
  "data file": { ...QCOW, create: `${V3},data_file=${BELOW}` },
  "raw data file": { ...QCOW, create: `${V3},data_file=${BELOW},data_file_raw=on` },
  "narrow refcounts": { ...QCOW, create: `${V3},refcount_bits=1` },
  "preallocation": { ...QCOW, create: `${V3},preallocation=metadata` },
  "AES": { ...QCOW, create: `${V3},encrypt.format=aes,${ENCRYPTION}` },
  "LUKS inside": {
    ...QCOW,
    create: [V3, "encrypt.format=luks", ENCRYPTION, ...CHEAP_KEYS.map((key) => `encrypt.${key}`)]
      .join(),
  },
  "LUKS": { format: "luks", driver: "LUKS", create: ["key-secret=key", ...CHEAP_KEYS].join() },
  "QCOW version 1": { format: "qcow", driver: "QCOW1", compressed: true },
  "QCOW version 1 below": { format: "qcow", driver: "QCOW1", below: "raw" },
  "QED": QED,
  "QED below": { ...QED, below: "raw" },
  "PARALLELS": PARALLELS,
  "VDI": VDI,
  "VDI child": { ...VDI, adopt: adoptVdi },
  "VHD": VHD,
  "VHD fixed": { ...VHD, create: "subformat=fixed" },
  "VHD child": { ...VHD, adopt: adoptVhd },
  "VHDX": VHDX,
  "VHDX child": { ...VHDX, adopt: adoptVhdx },
  "VMDK split": { ...VMDK, create: "subformat=twoGbMaxExtentSparse" },
  "VMDK below": { ...VMDK, below: "vmdk" },
  "VMDK stream": {
    ...BUILT,
    driver: "VMDK",
    build: () => streamOriginals()[1]?.bytes ?? new Uint8Array(),
    headerBytes: 2560,
    littleEndian: true,
  },
  "BOCHS": { ...BUILT, driver: "BOCHS", build: () => bochsOriginal().bytes, littleEndian: true },
  "CLOOP": { ...BUILT, driver: "CLOOP", build: () => cloopOriginal().bytes },
  "ANDROID-SPARSE": {
    ...BUILT,
    driver: "ANDROID-SPARSE",
    build: () => androidSparseOriginal().bytes,
    littleEndian: true,
  },
  "SPARSEIMAGE": {
    ...BUILT,
    driver: "SPARSEIMAGE",
    build: () => sparseimageOriginal().bytes,
    headerBytes: 4096,
  },
  "RAW": { format: "raw", driver: "RAW" },
};

/** Those whose drivers there are. */
export function victimNames(): string[] {
  return Object.entries(VICTIMS)
    .filter(([, { driver }]) => findDriver(driver) !== undefined)
    .map(([name]) => name);
}

/** Makes the image of a victim in `folder`, where it names other files by relative names. */
export async function makeVictim(folder: string, name: string): Promise<string> {
  const victim = VICTIMS[name];
  if (victim === undefined) throw new Error(`no feature ${name}`);
  const path = `${folder}/image`;
  if (victim.build !== undefined) {
    Deno.writeFileSync(path, victim.build());
    return path;
  }
  const below = `${folder}/${BELOW}`;
  if (victim.below !== undefined) {
    await must("qemu-img", "create", "-q", "-f", victim.below, below, "96K");
    await must("qemu-io", "-f", victim.below, "-c", "write -P 7 0 96k", below);
  }
  await create(folder, path, victim);
  await write(path, victim);
  if (victim.adopt !== undefined) {
    const base = `${folder}/base.${victim.driver.toLowerCase()}`;
    await must(
      "qemu-img",
      "create",
      "-q",
      "-f",
      victim.format,
      base,
      "2M",
    );
    victim.adopt(path, base);
  }
  if (victim.snapshot !== undefined) {
    await must("qemu-img", "snapshot", "-c", victim.snapshot, path);
    await must("qemu-io", "-f", "qcow2", "-c", "write -P 9 0 8k", path);
  }
  return path;
}

async function create(folder: string, path: string, victim: Victim): Promise<void> {
  const { format, create, below } = victim;
  const words = [
    ...(create === undefined ? [] : ["-o", create.replace("data_file=", `data_file=${folder}/`)]),
    ...(below === undefined ? [] : ["-u", "-b", BELOW, "-F", below]),
  ];
  const all = ["create", "-q", ...SECRET, "-f", format, ...words, path, "128K"];
  await mustDeriveKey("qemu-img", ...all);
  if (create?.includes("data_file=")) makeNameRelative(folder, path);
}

/** qemu looks for data files from its own folder, and we from that of the image. */
function makeNameRelative(folder: string, path: string): void {
  const bytes = Deno.readFileSync(path);
  const at = indexOf(bytes, new TextEncoder().encode(`${folder}/${BELOW}`));
  const relative = new TextEncoder().encode(`./${"/".repeat(folder.length - 1)}${BELOW}`);
  bytes.set(relative, at);
  Deno.writeFileSync(path, bytes);
}

export function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

async function write(path: string, { format, create, compressed }: Victim): Promise<void> {
  const isEncrypted = create?.includes("key-secret") ?? false;
  const secret = format === "luks" ? ",key-secret=key" : `,${ENCRYPTION}`;
  const options = `driver=${format},file.filename=${path}${isEncrypted ? secret : ""}`;
  const flag = compressed ? " -c" : "";
  // of version 1, qemu writes one compressed cluster at a time
  const length = format === "qcow" ? "4k" : "16k";
  const lines = [`write${flag} -P 1 0 ${length}`, `write${flag} -P 2 32k ${length}`];
  if (!compressed) lines.push("write -P 3 65k 512", "write -z 80k 16k");
  const words = lines.flatMap((line) => ["-c", line]);
  // The data file's name would be looked for from our folder.
  const { code, stderr } = await new Deno.Command("qemu-io", {
    args: ["-t", "unsafe", ...SECRET, "--image-opts", ...words, options],
    cwd: path.slice(0, path.lastIndexOf("/")),
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
}

/** Where a name in the image would lead outside of its folder; `outside` is such a file. */
export function hostileNames(outside: string): string[] {
  return ["/etc/passwd", "../outside/secret", "link", "sub/../../outside/secret", outside];
}
