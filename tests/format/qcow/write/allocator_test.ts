// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { readHeader } from "../../../../src/format/qcow/header.ts";
import type { Header } from "../../../../src/format/qcow/header_types.ts";
import { Allocator } from "../../../../src/format/qcow/write/allocator.ts";
import { findMetadata, type Metadata } from "../../../../src/format/qcow/write/metadata_map.ts";
import { Refcounts } from "../../../../src/format/qcow/write/refcounts.ts";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { Updates } from "../../../../src/image/updates.ts";
import { Attempt } from "../../../../src/storage/attempt.ts";
import type { ImageFile } from "../../../../src/storage/image_file.ts";
import { oracleTest, TempDirectory } from "../../../support/tools.ts";
import { ImageBytes } from "./image_bytes.ts";
import { makeOriginal, ORIGINAL_RECIPES, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { openForWriting } from "./writable_disk.ts";

interface Opened {
  readonly file: ImageFile;
  readonly header: Header;
  readonly refcounts: Refcounts;
  readonly metadata: Metadata;
  readonly allocator: Allocator;
}

function allocatorOf(path: string): Opened {
  const file = openForWriting(path);
  const header = readHeader(file);
  const refcounts = new Refcounts(file, header);
  const metadata = findMetadata(file, header, refcounts);
  const allocator = new Allocator(file, { header, refcounts, metadata, punches: true });
  return { file, header, refcounts, metadata, allocator };
}

oracleTest(
  "Allocator gives nobody the old refcount table before the header says where the new one is",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const recipe = ORIGINAL_RECIPES.find(({ name }) => name.includes("nearly full"));
    if (recipe === undefined) throw new Error("no such image");
    const { path } = await makeOriginal(folder.path, recipe);
    const { file, header, refcounts: { table }, metadata, allocator } = allocatorOf(path);
    using _file = file;
    const old = table.offset / header.clusterBytes;
    const attempt = new Attempt();
    while (table.offset === old * header.clusterBytes) allocator.allocate(64, attempt);
    const updates = new Updates();
    allocator.takeUpdates(updates);
    allocator.updated(false);
    while (allocator.freeSome());
    assert(metadata.clusters.has(old));
    allocator.takeUpdates(updates);
    allocator.updated(true);
    while (allocator.freeSome());
    assertFalse(metadata.clusters.has(old));
    assertEquals(allocator.waiting, 0);
  },
);

oracleTest("Allocator frees no metadata that a guest has dropped", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory();
  const recipe = recipeOf("half full");
  const { path } = await makeOriginal(folder.path, recipe);
  const { file, header, allocator } = allocatorOf(path);
  using _file = file;
  for (const hostOffset of [0, header.l1Offset]) {
    allocator.drop(hostOffset, 1);
    allocator.takeUpdates(new Updates());
    allocator.updated(true);
    assertThrows(() => allocator.freeSome(), ImageFormatError, "still needed");
  }
});

oracleTest("Allocator frees many short runs at once", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory();
  const recipe = recipeOf("empty");
  const { path } = await makeOriginal(folder.path, recipe);
  const { file, header, allocator } = allocatorOf(path);
  using _file = file;
  const attempt = new Attempt();
  const clusters = Array.from({ length: 64 }, () => allocator.allocate(1, attempt)?.first ?? 0);
  for (const cluster of clusters.toReversed()) allocator.drop(cluster * header.clusterBytes, 1);
  allocator.takeUpdates(new Updates());
  allocator.updated(true);
  assertFalse(allocator.freeSome());
  assertEquals(allocator.waiting, 0);
  assertEquals(allocator.allocate(1, attempt)?.first, Math.min(...clusters));
});

oracleTest(
  "Allocator does not take for zeros what was in use behind the end of an image that was cut off",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const recipe = recipeOf("half full");
    const { path } = await makeOriginal(folder.path, recipe);
    const image = new ImageBytes(path);
    const dropped = image.target(image.entryAt(0));
    Deno.truncateSync(path, dropped);
    const { file, header, allocator } = allocatorOf(path);
    using _file = file;
    allocator.drop(dropped, 1);
    allocator.takeUpdates(new Updates());
    allocator.updated(true);
    while (allocator.freeSome());
    const found = allocator.allocate(1, new Attempt());
    assertEquals(found?.first, dropped / header.clusterBytes);
    assertFalse(found?.isBlank);
  },
);

oracleTest(
  "Allocator takes what is reserved, but not durable yet, before it lengthens the file",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory();
    const [recipe] = ORIGINAL_RECIPES;
    if (recipe === undefined) throw new Error("no such image");
    const { path } = await makeOriginal(folder.path, recipe);
    const { file, allocator } = allocatorOf(path);
    using _file = file;
    const take = (): readonly [first: number, isCounted: boolean] | undefined => {
      const allocation = allocator.allocateReserved(1);
      return allocation && [allocation.first, allocation.isCounted];
    };
    assertEquals(take(), undefined);
    allocator.fillReserve();
    const [first = 0] = take() ?? [];
    assertEquals(take(), [first + 1, false]);
    allocator.takeUpdates(new Updates());
    allocator.updated(true);
    assertEquals(take(), [first + 2, true]);
    while (allocator.allocateReserved(64)?.isCounted);
    assertEquals(take(), undefined);
    // More are reserved while others are used up.
    allocator.fillReserve();
    const [next = 0, isCounted] = take() ?? [];
    assertFalse(isCounted);
    assert(next > first);
    assertEquals(take(), [next + 1, false]);
    allocator.takeUpdates(new Updates());
    allocator.updated(true);
    assertEquals(take(), [next + 2, true]);
  },
);
