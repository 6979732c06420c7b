/**
 * Images with known damage.
 *
 * @module
 */
import { mustSoon } from "./program.ts";
import { must, type TempDirectory } from "./tools.ts";

const MIB = 1024 * 1024;
/** With clusters of 4 KiB, one L2 table describes 2 MiB. */
export const PER_TABLE = 2 * MIB;
const L1_OFFSET_FIELD = 40;

/** An image of four L2 tables, of which the second lies where the file has long ended. */
export async function damagedImage(folder: TempDirectory): Promise<string> {
  const path = folder.file("damaged.qcow2");
  const options = ["-o", "cluster_size=4k"];
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, path, "8M");
  await mustSoon("qemu-io", "-f", "qcow2", "-c", "write -P 77 0 8M", path);
  using file = Deno.openSync(path, { read: true, write: true });
  const field = new Uint8Array(8);
  file.seekSync(L1_OFFSET_FIELD, Deno.SeekMode.Start);
  file.readSync(field);
  const tableOffset = Number(new DataView(field.buffer).getBigUint64(0));
  new DataView(field.buffer).setBigUint64(0, (1n << 63n) | (1n << 40n));
  file.seekSync(tableOffset + 8, Deno.SeekMode.Start);
  file.writeSync(field);
  return path;
}
