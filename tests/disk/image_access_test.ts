// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Image } from "../../src/image/driver.ts";
import { ImageAccess } from "../../src/disk/image_access.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import type { Mapping } from "../../src/image/mapping.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { openImageFile, sameBytes } from "../format/opened_image.ts";
import { seededBytes } from "../nbd/served_image.ts";
import { TempDirectory } from "../support/tools.ts";

const NO_LIMITS = { offsetBytes: 0, sizeLimitBytes: 0 };

type Kind = "data" | "zero" | "backing" | "special";

/** A run of guest bytes of one kind. */
interface Piece {
  readonly kind: Kind;
  readonly lengthBytes: number;
}

/** An image made of pieces; its data are at the same place in `file`, special ones inverted. */
class PiecedImage implements Image {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly filesToSync: readonly ImageFile[] = [];
  /** Answers before the special ones that are "blocked". */
  blocks = 0;
  readonly #pieces: readonly Piece[];
  readonly #file: ImageFile;
  readonly #backing: Image | undefined;

  constructor(pieces: readonly Piece[], file: ImageFile, backing?: Image) {
    this.sizeBytes = pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    this.#pieces = pieces;
    this.#file = file;
    this.#backing = backing;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    let end = 0;
    const piece = this.#pieces.find((candidate) => (end += candidate.lengthBytes) > guestOffset);
    const count = Math.min(lengthBytes, end - guestOffset);
    switch (piece?.kind) {
      case undefined:
        throw new Error("asked for what lies outside");
      case "data":
        return mapping.setData(this.#file, guestOffset, count);
      case "zero":
        return mapping.setZero(count);
      case "backing":
        return mapping.setBacking(this.#backing, guestOffset, count);
      case "special":
        return mapping.setSpecial(this.#file, guestOffset, count, count);
    }
  }

  readSpecial(
    guestOffset: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    if (this.blocks-- > 0) {
      mapping.setBlocked(this.#file, guestOffset, lengthBytes);
      return false;
    }
    this.#file.read(target, position, guestOffset, lengthBytes);
    for (let at = position; at < position + lengthBytes; at++) {
      target.bytes[at] = 255 - (target.bytes[at] ?? 0);
    }
    return true;
  }

  /** What the guest has to read. */
  model(content: Uint8Array, below: Uint8Array | undefined): Uint8Array {
    const model = new Uint8Array(this.sizeBytes);
    let at = 0;
    for (const { kind, lengthBytes } of this.#pieces) {
      const end = at + lengthBytes;
      if (kind === "data") model.set(content.subarray(at, end), at);
      if (kind === "special") model.set(content.slice(at, end).map((byte) => 255 - byte), at);
      if (kind === "backing" && below !== undefined) model.set(below.subarray(at, end), at);
      at = end;
    }
    return model;
  }

  [Symbol.dispose](): void {}
}

const PIECES = fc.array(
  fc.record({
    kind: fc.constantFrom<Kind>("data", "zero", "backing", "special"),
    lengthBytes: fc.integer({ min: 1, max: 700 }),
  }),
  { minLength: 1, maxLength: 12 },
);

Deno.test("ImageAccess.read() reads chains of mixed images as the model does", () => {
  using folder = new TempDirectory();
  const content = seededBytes(16 * 1024, 1);
  const path = folder.file("disk");
  Deno.writeFileSync(path, content);
  fc.assert(
    fc.property(
      fc.array(PIECES, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(9000), fc.nat(9000)), { minLength: 1, maxLength: 20 }),
      fc.nat(2000),
      fc.nat(3000),
      (chain, ranges, offsetBytes, sizeLimitBytes) => {
        let image: PiecedImage | undefined;
        let model: Uint8Array | undefined;
        const file = openImageFile(path);
        for (const pieces of chain) {
          image = new PiecedImage(pieces, file, image);
          model = image.model(content, model);
        }
        if (image === undefined || model === undefined) return;
        const limits = { offsetBytes: offsetBytes % image.sizeBytes, sizeLimitBytes };
        using access = new ImageAccess(image, [file], limits);
        const start = limits.offsetBytes;
        const size = Math.min(model.length - start, sizeLimitBytes || Infinity);
        assertEquals(access.sizeBytes, size);
        for (const [from, count] of ranges) {
          const offset = from % size;
          const length = Math.min(count, size - offset);
          const target = new IoBuffer(length + 4);
          target.bytes.fill(0xee);
          assert(access.read(target, 2, offset, length));
          const expected = model.subarray(start + offset, start + offset + length);
          assert(sameBytes(target.bytes.subarray(2, 2 + length), expected));
          assertEquals([...target.bytes.subarray(0, 2)], [0xee, 0xee]);
          assertEquals([...target.bytes.subarray(2 + length)], [0xee, 0xee]);
        }
      },
    ),
    { numRuns: 200 },
  );
});

/** A temporary file and one image of `pieces` in it. */
function withImage(
  pieces: readonly Piece[],
  check: (image: PiecedImage, file: ImageFile) => void,
): void {
  using folder = new TempDirectory();
  Deno.writeFileSync(folder.file("disk"), seededBytes(8192, 1));
  using file = openImageFile(folder.file("disk"), { readOnly: false });
  check(new PiecedImage(pieces, file), file);
}

Deno.test("ImageAccess.read() says what a blocked read waits for", () => {
  withImage(
    [{ kind: "zero", lengthBytes: 100 }, { kind: "special", lengthBytes: 50 }],
    (image, file) => {
      const access = new ImageAccess(image, [file], NO_LIMITS);
      image.blocks = 1;
      const target = new IoBuffer(150);
      assertFalse(access.read(target, 0, 0, 150));
      const { blockedOn } = access;
      assert(blockedOn.file === file);
      assertEquals([blockedOn.hostOffset, blockedOn.hostBytes], [100, 50]);
      assert(access.read(target, 0, 0, 150));
    },
  );
});

Deno.test("ImageAccess.read() says which data a file does not have at hand", () => {
  withImage(
    [{ kind: "zero", lengthBytes: 100 }, { kind: "data", lengthBytes: 50 }],
    (image, file) => {
      Object.defineProperty(file, "cacheKnowledge", { value: "unknown" });
      const access = new ImageAccess(image, [file], NO_LIMITS);
      assert(access.cannotTellCached);
      access.setMayBlock(false);
      const target = new IoBuffer(150);
      assertFalse(access.read(target, 0, 0, 150));
      assertEquals([access.blockedOn.hostOffset, access.blockedOn.hostBytes], [100, 50]);
      file.setWarm(100, 50);
      assert(access.read(target, 0, 0, 150));
      file.setWarm(0, 0);
      assertFalse(access.read(target, 0, 0, 150));
      access.setMayBlock(true);
      assert(access.read(target, 0, 0, 150));
    },
  );
});

Deno.test("ImageAccess.read() refuses a chain without end", () => {
  withImage([{ kind: "zero", lengthBytes: 1 }], (_image, file) => {
    const endless: Image = {
      sizeBytes: 512,
      readOnly: true,
      filesToSync: [],
      map: (offset, length, mapping) => mapping.setBacking(endless, offset, length),
      [Symbol.dispose]: () => {},
    };
    const access = new ImageAccess(endless, [file], NO_LIMITS);
    assertThrows(() => access.read(new IoBuffer(512), 0, 0, 512), Error, "backing images");
  });
});

Deno.test("ImageAccess.seek() finds data and holes", () => {
  const pieces: Piece[] = [
    { kind: "zero", lengthBytes: 10 },
    { kind: "data", lengthBytes: 20 },
    { kind: "special", lengthBytes: 30 },
    { kind: "zero", lengthBytes: 40 },
  ];
  withImage(pieces, (image, file) => {
    const access = new ImageAccess(image, [file], NO_LIMITS);
    const data = (offset: number): number => access.seek(offset, { wantHole: false });
    const hole = (offset: number): number => access.seek(offset, { wantHole: true });
    assertEquals([data(0), data(10), data(35), data(60)], [10, 10, 35, -1]);
    assertEquals([hole(0), hole(10), hole(35), hole(60), hole(99)], [0, 60, 60, 60, 99]);
  });
});

/** A disk that is its file, and may not be able to do anything but write. */
class PlainImage implements Image {
  readonly readOnly = false;
  readonly filesToSync: readonly ImageFile[];

  constructor(readonly file: ImageFile, readonly sizeBytes: number) {
    this.filesToSync = [file];
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    // In pieces, so that more than one is needed.
    mapping.setData(this.file, guestOffset, Math.min(lengthBytes, 1000));
  }

  [Symbol.dispose](): void {}
}

Deno.test("ImageAccess.write() and writeZeroes() change the window as the model does", () => {
  const sizeBytes = 8192;
  const action = fc.record({ zero: fc.boolean(), offset: fc.nat(8191), length: fc.nat(8192) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 10 }), fc.nat(4000), (actions, offsetBytes) => {
      using folder = new TempDirectory();
      const model = seededBytes(sizeBytes, 1);
      const path = folder.file("disk");
      Deno.writeFileSync(path, model);
      const file = openImageFile(path, { readOnly: false });
      const limits = { offsetBytes, sizeLimitBytes: 4000 };
      using access = new ImageAccess(new PlainImage(file, sizeBytes), [file], limits);
      actions.forEach(({ zero, offset, length }, n) => {
        const from = offset % access.sizeBytes;
        const count = Math.min(length, access.sizeBytes - from);
        const at = offsetBytes + from;
        if (zero) {
          assertFalse(access.writeZeroes(from, count, false, true));
          assert(access.writeZeroes(from, count, false, false));
          model.fill(0, at, at + count);
        } else {
          const source = new IoBuffer(count + 3);
          source.bytes.set(seededBytes(count, n), 3);
          access.write(source, 3, from, count);
          model.set(source.bytes.subarray(3), at);
        }
      });
      assert(sameBytes(Deno.readFileSync(path), model));
    }),
    { numRuns: 100 },
  );
});

Deno.test("ImageAccess writes zeros longer than its buffer", () => {
  using folder = new TempDirectory();
  const sizeBytes = 3 * 1024 * 1024 + 5;
  Deno.writeFileSync(folder.file("disk"), new Uint8Array(sizeBytes).fill(1));
  const file = openImageFile(folder.file("disk"), { readOnly: false });
  using access = new ImageAccess(new PlainImage(file, sizeBytes), [file], NO_LIMITS);
  assertFalse(access.canDiscard);
  access.discard(0, 512);
  assert(access.writeZeroes(1, sizeBytes - 2, true, false));
  const now = Deno.readFileSync(folder.file("disk"));
  assertEquals([now[0], now.at(-1)], [1, 1]);
  assert(now.subarray(1, -1).every((byte) => byte === 0));
});

Deno.test("ImageAccess.refreshSize() follows a growing file, within the limits", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  Deno.writeFileSync(path, new Uint8Array(4096));
  const file = openImageFile(path, { readOnly: false });
  const image: Image = {
    get sizeBytes() {
      return file.sizeBytes;
    },
    readOnly: false,
    filesToSync: [],
    map: (offset, length, mapping) => mapping.setData(file, offset, length),
    [Symbol.dispose]: () => {},
  };
  using access = new ImageAccess(image, [file], { offsetBytes: 1024, sizeLimitBytes: 8192 });
  assertEquals(access.sizeBytes, 3072);
  Deno.truncateSync(path, 100_000);
  assertEquals(access.sizeBytes, 3072);
  access.refreshSize();
  assertEquals(access.sizeBytes, 8192);
  Deno.truncateSync(path, 1024);
  assertThrows(() => access.refreshSize(), RangeError);
  assertEquals(access.sizeBytes, 8192);
});
