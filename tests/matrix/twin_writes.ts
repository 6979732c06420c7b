/**
 * The same random changes of an image by the program under test and, on a twin, by qemu.
 *
 * @module
 */
import { type Op, Random, randomOp } from "../format/qcow/write/random_ops.ts";
import { NbdClient } from "../integration/nbd_client.ts";
import { ExportedImage } from "../support/program.ts";
import { must, TempDirectory } from "../support/tools.ts";
import { type MatrixImage, SECRET } from "./make.ts";

/** Changes of a whole image of the matrix. Of what is discarded in part, each may leave what it likes. */
export function changesOf({ recipe, sizeBytes }: MatrixImage, count: number): Op[] {
  const random = new Random(recipe.seed);
  const clusterBytes = 2 ** recipe.clusterBits;
  const mostBytes = Math.min(3 * clusterBytes + 4096, 256 * 1024);
  const limits = { sizeBytes, mostBytes, unitBytes: clusterBytes };
  return Array.from({ length: count }, (_, index) => randomOp(random, limits, index + 1))
    .map((op) => op.kind === "discard" ? wholeClusters(op, clusterBytes, sizeBytes) : op);
}

type Discard = Extract<Op, { readonly kind: "discard" }>;

function wholeClusters({ offset, length }: Discard, clusterBytes: number, sizeBytes: number): Op {
  const start = Math.floor(offset / clusterBytes) * clusterBytes;
  const end = Math.ceil((offset + length) / clusterBytes) * clusterBytes;
  return { kind: "discard", offset: start, length: Math.min(end, sizeBytes) - start };
}

/** Has the program make them, over a socket. */
export async function changeByServer(
  folder: TempDirectory,
  { path, options }: MatrixImage,
  ops: readonly Op[],
): Promise<void> {
  const attach = { folder, image: path, options: ["-t", "QCOW", ...options] };
  await using exported = await ExportedImage.attach(attach);
  if (exported.attached.stderr !== "") throw new Error(exported.attached.stderr);
  using client = await NbdClient.connect(exported.socket);
  for (const op of ops) await client.change(op);
  await exported.detach();
}

/** Has qemu make them. */
export async function changeByQemu(
  { qemuOptions }: MatrixImage,
  ops: readonly Op[],
): Promise<void> {
  using folder = new TempDirectory();
  const lines = ops.map((op, index) => qemuLine(op, folder.file(`${index}`)));
  const words = lines.flatMap((line) => ["-c", line]);
  await must(
    "qemu-io",
    "-t",
    "unsafe",
    "-d",
    "unmap",
    ...SECRET,
    "--image-opts",
    ...words,
    qemuOptions,
  );
}

/** @param source where the bytes of a write are put */
function qemuLine(op: Op, source: string): string {
  switch (op.kind) {
    case "write":
      Deno.writeFileSync(source, op.bytes);
      return `write -q -s ${source} ${op.offset} ${op.bytes.length}`;
    case "zeros":
      return `write -q -z ${op.keep ? "" : "-u "}${op.offset} ${op.length}`;
    case "discard":
      return `discard -q ${op.offset} ${op.length}`;
    case "flush":
      return "flush";
  }
}
