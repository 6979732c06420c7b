// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { ReadRequest } from "../../src/disk/reader.ts";
import { readDisk } from "../support/disk.ts";
import { openImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import type { ImageRequest } from "../../src/disk/request.ts";
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { readRange, sameBytes } from "../format/opened_image.ts";
import { type ChainRecipe, makeChain, type TestChain } from "../support/chains.ts";
import { IMAGE_TOOLS, randomNumbers } from "../support/images.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { dropFromCache } from "../support/page_cache.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Pieces that a disk can lie in, and tables of its images, at most. */
const MAX_ATTEMPTS = 2000;

const RECIPES: readonly ChainRecipe[] = Array.from(
  { length: 30 },
  (_, index) => ({ seed: 1000 + index, depth: index % 5 }),
);

function opened(path: string, more: Partial<ImageRequest> = {}): ImageAccess {
  const { file } = openImageFile(path, { readOnly: true });
  const limits = { offsetBytes: 0, sizeLimitBytes: 0 };
  return openImage(file, { format: "QCOW", readOnly: true, ...limits, ...more });
}

oracleTest("openImage() reads chains of images as qemu does", IMAGE_TOOLS, async (t) => {
  for (const recipe of RECIPES) {
    using folder = new TempDirectory();
    const chain = await makeChain(folder.path, recipe);
    await t.step(`seed ${recipe.seed}, ${recipe.depth} below`, () => {
      using access = opened(chain.path);
      assertEquals(access.sizeBytes, chain.sizeBytes, chain.description);
      checkRange(access, chain, 0, chain.sizeBytes);
      checkSomeRanges(access, chain, recipe.seed);
      checkCold(access, chain);
    });
  }
});

oracleTest("openImage() shows a snapshot above what is below its image", IMAGE_TOOLS, async () => {
  for (const seed of [3000, 3001, 3003, 3004]) {
    using folder = new TempDirectory();
    const chain = await makeChain(folder.path, { seed, depth: 2, snapshot: "before" });
    const { path, rawPath } = chain;
    const snapshot = ["-l", "snapshot.name=before"];
    await must("qemu-img", "convert", ...snapshot, "-f", "qcow2", "-O", "raw", path, rawPath);
    using access = opened(path, { snapshot: "before" });
    checkRange(access, chain, 0, chain.sizeBytes);
  }
});

function checkSomeRanges(access: ImageAccess, chain: TestChain, seed: number): void {
  const random = randomNumbers(seed);
  for (let count = 0; count < 100; count++) {
    const offset = Math.floor(random() * chain.sizeBytes);
    const rest = chain.sizeBytes - offset;
    checkRange(access, chain, offset, Math.min(1 + Math.floor(random() * 100_000), rest));
  }
}

function checkRange(
  access: ImageAccess,
  { rawPath, description }: TestChain,
  offset: number,
  lengthBytes: number,
): void {
  const bytes = readDisk(access, offset, lengthBytes);
  const where = `${lengthBytes} bytes at ${offset} differ: ${description}`;
  assert(sameBytes(bytes, readRange(rawPath, offset, lengthBytes)), where);
}

/** Reads the whole disk without ever waiting, fetching what that needs as the slow lane does. */
function checkCold(access: ImageAccess, { rawPath, sizeBytes, description }: TestChain): void {
  for (const file of access.sharedFiles) dropFromCache(file);
  const target = new IoBuffer(sizeBytes);
  const request = new ReadRequest().ask(0, sizeBytes).into(target, 0);
  request.attempt.mayWait = false;
  for (let attempts = 0; !access.read(request); attempts++) {
    assert(attempts < MAX_ATTEMPTS, `${attempts} attempts: ${description}`);
    const { file, hostOffset, hostBytes } = request.attempt.missing;
    assert(file !== undefined && hostBytes > 0);
    file.read(new IoBuffer(hostBytes), 0, hostOffset, hostBytes);
  }
  assert(sameBytes(target.bytes, Deno.readFileSync(rawPath)), `cold: ${description}`);
}

/** Has the system say of locks, while `action` runs, that there are none. */
function withoutLocks<T>(action: () => T): T {
  const calls = libc() as unknown as {
    fcntl: (...args: [number, number, bigint | number]) => number;
  };
  const { fcntl } = calls;
  // A command there is not fails with EINVAL, as locks do where there are none.
  calls.fcntl = (fd, _command, argument) => fcntl(fd, 9999, argument);
  try {
    return action();
  } finally {
    calls.fcntl = fcntl;
  }
}

oracleTest("openImage() says of each file that it cannot be locked", ["qemu-img"], async () => {
  using folder = new TempDirectory();
  const path = folder.file("image.qcow2");
  const options = `data_file=${folder.file("data")}`;
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M");
  const allowBacking = [folder.path];
  using access = withoutLocks(() => opened(path, { allowBacking }));
  assertEquals(access.warnings.length, 1);
  assert(access.warnings[0]?.startsWith(`${folder.file("data")}: the file system has no locks`));
  using locked = opened(path, { allowBacking });
  assertEquals(locked.warnings, []);
});
