/**
 * fio as a client that reads back what it has written.
 *
 * @module
 */
import { mustSoon } from "./program.ts";

/** Writes 32 MiB in pieces of 4 KiB at random to the first 64 MiB of an export, and verifies them all. */
export async function writeAndVerify(uri: string): Promise<void> {
  const job = ["--name=verify", "--ioengine=nbd", `--uri=${uri}`, "--size=64M"];
  const how = ["--rw=randwrite", "--bs=4k", "--iodepth=16", "--fsync=64", "--randseed=1"];
  const verify = ["--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--io_size=32M"];
  await mustSoon("fio", ...job, ...how, ...verify, "--output=/dev/null", "--verify_state_save=0");
}
