/**
 * What packs bytes so that the program has to unpack them.
 *
 * @module
 */
import type { Program } from "./packages.ts";

/** What a packing program makes of `bytes`: of its standard input. */
export async function packedBy(
  program: Extract<Program, "bzip2" | "xz" | "zstd">,
  bytes: Uint8Array,
  ...options: readonly string[]
): Promise<Uint8Array> {
  const args = ["-c", ...options];
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(Uint8Array.from(bytes)).then(() => writer.close());
  const { success, stdout } = await child.output();
  await written;
  if (!success) throw new Error(`${program} has failed`);
  return stdout;
}

const SHORT_LEAST = 3;
const LONG_LEAST = 4;
const LONG_MOST = 67;
const LITERAL_MOST = 128;

/** Bytes in Apple Data Compression: runs of one byte, and what is not one, by all three kinds of codes. */
export function adcOf(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  const literals: number[] = [];
  const flush = (): void => {
    while (literals.length > 0) {
      const some = literals.splice(0, LITERAL_MOST);
      out.push(0x80 | some.length - 1, ...some);
    }
  };
  for (let at = 0; at < bytes.length;) {
    const { distance, length } = matchAt(bytes, at);
    if (length < SHORT_LEAST || length === SHORT_LEAST && distance > 1024) {
      literals.push(bytes[at++] ?? 0);
      continue;
    }
    flush();
    const back = distance - 1;
    if (length < 19 && back < 1024) out.push(length - SHORT_LEAST << 2 | back >> 8, back & 0xff);
    else out.push(0x40 | length - LONG_LEAST, back >> 8, back & 0xff);
    at += length;
  }
  flush();
  return Uint8Array.from(out);
}

/** The longest repetition of what lies 1, 300 or 5,000 bytes back. */
function matchAt(bytes: Uint8Array, at: number): { distance: number; length: number } {
  let best = { distance: 1, length: 0 };
  for (const distance of [1, 300, 5000]) {
    if (distance > at) continue;
    let length = 0;
    while (
      length < LONG_MOST && at + length < bytes.length &&
      bytes[at + length] === bytes[at + length - distance]
    ) length++;
    if (length > best.length) best = { distance, length };
  }
  return best;
}
