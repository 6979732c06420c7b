/**
 * A folder tree with contents like those of a system disk: text, tables of numbers and data that is
 * compressed already, in files from a few KiB to some MiB. The same on every machine.
 *
 * @module
 */

const KIB = 1024;
const FILES_PER_FOLDER = 100;
const PAGE_BYTES = 64 * KIB;
/** File sizes as in /usr: many small files, most bytes in large ones. */
const SIZES_KIB = [2, 5, 9, 17, 30, 64, 130, 400, 1100, 3000];
const WORDS = ("the of and to file system device block image offset cluster table return int " +
  "static const struct char void if else while error read write size length data null page").split(
    " ",
  );

/** Pseudo-random 32-bit numbers (xorshift, Marsaglia 2003). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>>= 0;
  };
}

type Random = () => number;

function textPage(random: Random): Uint8Array<ArrayBuffer> {
  let text = "";
  while (text.length < PAGE_BYTES) {
    const word = WORDS[random() % WORDS.length] ?? "";
    text += random() % 9 === 0 ? `${word}_${random() % 1000};\n` : `${word} `;
  }
  return new TextEncoder().encode(text.slice(0, PAGE_BYTES));
}

function tablePage(random: Random): Uint8Array<ArrayBuffer> {
  const numbers = Uint32Array.from({ length: PAGE_BYTES / 4 }, (_, i) => i * 64 + random() % 64);
  return new Uint8Array(numbers.buffer);
}

function noisePage(random: Random): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.from({ length: PAGE_BYTES / 4 }, random).buffer);
}

/** Pages to compose files of: half text, a quarter tables, a quarter noise. */
function makePages(random: Random): Uint8Array<ArrayBuffer>[] {
  const makers = [textPage, textPage, tablePage, noisePage];
  return Array.from({ length: 64 }, (_, i) => (makers[i % makers.length] ?? textPage)(random));
}

/** One file's contents: pages in random order, each turned around a random point. */
function fileContents(
  sizeBytes: number,
  pages: readonly Uint8Array<ArrayBuffer>[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  const contents = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    const page = pages[random() % pages.length] ?? new Uint8Array(PAGE_BYTES);
    const part = page.subarray(random() % (PAGE_BYTES / 2), PAGE_BYTES).subarray(0, sizeBytes - at);
    contents.set(part, at);
    at += part.length;
  }
  return contents;
}

/** Writes a tree of `totalBytes` below `folder`, which is created. */
export async function writeTree(folder: string, totalBytes: number): Promise<void> {
  const random = randomNumbers(2463534242);
  const pages = makePages(random);
  let written = 0;
  for (let file = 0; written < totalBytes; file++) {
    const directory = `${folder}/d${Math.floor(file / FILES_PER_FOLDER)}`;
    if (file % FILES_PER_FOLDER === 0) await Deno.mkdir(directory, { recursive: true });
    const kibibytes = SIZES_KIB[random() % SIZES_KIB.length] ?? 1;
    const wanted = kibibytes * KIB + random() % (kibibytes * KIB);
    const sizeBytes = Math.min(wanted, totalBytes - written);
    await Deno.writeFile(`${directory}/f${file}`, fileContents(sizeBytes, pages, random));
    written += sizeBytes;
  }
}
