// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { openNamedFile } from "../../src/disk/permission.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { pause } from "../support/patience.ts";
import { rootTest, TempDirectory } from "../support/tools.ts";
import type { Exchange } from "./exchanger.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const NOBODY = 65534;
/** Before, one in ten of these showed the secret. */
const ATTEMPTS = 20_000;
const SECRET_BYTES = 7;

/** How often names led where. */
interface Tally {
  opened: number;
  refused: number;
  secrets: number;
}

/** Makes an empty folder. */
function makeFolder(path: string, mode: number, owner: number): string {
  Deno.mkdirSync(path);
  Deno.chmodSync(path, mode);
  Deno.chownSync(path, owner, owner);
  return path;
}

/** Does something while folders are exchanged. */
async function whileExchanging(exchange: Exchange, act: () => Promise<void>): Promise<void> {
  const worker = new Worker(new URL("exchanger.ts", import.meta.url), { type: "module" });
  const ended = new Promise((resolve) => worker.onmessage = resolve);
  const end = new Int32Array(new SharedArrayBuffer(4));
  worker.postMessage({ ...exchange, end });
  await act();
  Atomics.store(end, 0, 1);
  await ended;
  worker.terminate();
}

/** Opens what the image names by `name`, while folders are exchanged. */
async function openOften(
  { by, folder, name }: { by: ImageFile; folder: string; name: string },
  exchange: Exchange,
): Promise<Tally> {
  const tally = { opened: 0, refused: 0, secrets: 0 };
  await whileExchanging(exchange, async () => {
    const isTested = (): boolean => tally.opened > 0 && tally.refused > 0;
    for (let attempt = 0; attempt < ATTEMPTS || !isTested(); attempt++) {
      if (attempt % 1000 === 0) await pause(0);
      try {
        using file = openNamedFile(`${folder}/${name}`, { by, folder, allowed: [] });
        if (file.sizeBytes === SECRET_BYTES) tally.secrets++;
        tally.opened++;
      } catch (error) {
        if (error instanceof SystemError) continue; // nothing is there for a moment
        tally.refused++;
      }
    }
  });
  return tally;
}

rootTest(
  "openNamedFile() looks at the folder that it searches, whatever takes its place",
  [],
  async () => {
    using temporary = new TempDirectory();
    const path = Deno.realPathSync(temporary.path);
    const hidden = makeFolder(`${path}/hidden`, 0o700, 0);
    Deno.writeFileSync(`${hidden}/x`, new Uint8Array(SECRET_BYTES));
    const parent = makeFolder(`${path}/parent`, 0o755, NOBODY);
    const own = makeFolder(`${parent}/own`, 0o755, 0);
    Deno.writeFileSync(`${own}/x`, new Uint8Array(1));
    Deno.writeFileSync(`${own}/image`, new Uint8Array(1));
    const foreign = makeFolder(`${parent}/foreign`, 0o755, NOBODY);
    Deno.symlinkSync("../../hidden/x", `${foreign}/x`);
    using by = new ImageFile(openFile(`${own}/image`, O_RDONLY), `${own}/image`);
    const naming = { by, folder: own, name: "x" };
    const exchange = { one: own, other: foreign, free: `${parent}/free` };
    assertEquals((await openOften(naming, exchange)).secrets, 0);
  },
);

rootTest(
  "openNamedFile() asks the folders that the file is in, whatever takes their place",
  [],
  async () => {
    using temporary = new TempDirectory();
    const path = Deno.realPathSync(temporary.path);
    const folder = makeFolder(`${path}/folder`, 0o777, 0);
    const secret = makeFolder(`${folder}/secret`, 0o700, 0);
    Deno.writeFileSync(`${secret}/x`, new Uint8Array(SECRET_BYTES));
    const open = makeFolder(`${folder}/open`, 0o755, NOBODY);
    Deno.writeFileSync(`${open}/x`, new Uint8Array(1));
    Deno.writeFileSync(`${folder}/image`, new Uint8Array(1));
    Deno.chownSync(`${folder}/image`, NOBODY, NOBODY);
    using by = new ImageFile(openFile(`${folder}/image`, O_RDONLY), `${folder}/image`);
    const exchange = { one: secret, other: open, free: `${folder}/free` };
    const naming = { by, folder, name: "secret/x" };
    assertEquals((await openOften(naming, exchange)).secrets, 0);
  },
);
