// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Change, ChangeKind } from "../../src/disk/change.ts";
import { ReadRequest } from "../../src/disk/reader.ts";
import { DiskSeek } from "../../src/disk/seek.ts";
import type { Writing } from "../../src/image/writing.ts";
import { readDisk, seekDisk, writeDisk } from "../support/disk.ts";
import type { Image } from "../../src/image/driver.ts";
import { ImageAccess } from "../../src/disk/image_access.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import type { Mapping } from "../../src/image/mapping.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { openImageFile, sameBytes } from "../format/opened_image.ts";
import { block, seededBytes } from "../nbd/served_image.ts";
import { TempDirectory } from "../support/tools.ts";

const NO_LIMITS = { offsetBytes: 0, sizeLimitBytes: 0 };

type Kind = "data" | "zero" | "backing" | "blocked";

/** A run of guest bytes of one kind. */
interface Piece {
  readonly kind: Kind;
  readonly lengthBytes: number;
}

/** An image made of pieces; its data are at the same place in `file`. */
class PiecedImage implements Image {
  readonly sizeBytes: number;
  /** Times that a blocked piece is: it is data then. */
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
      case "blocked":
        if (this.blocks-- > 0) return block(mapping, this.#file, guestOffset, count);
        return mapping.setData(this.#file, guestOffset, count);
    }
  }

  /** What the guest has to read. */
  model(content: Uint8Array, below: Uint8Array | undefined): Uint8Array {
    const model = new Uint8Array(this.sizeBytes);
    let at = 0;
    for (const { kind, lengthBytes } of this.#pieces) {
      const end = at + lengthBytes;
      if (kind === "data" || kind === "blocked") model.set(content.subarray(at, end), at);
      if (kind === "backing" && below !== undefined) model.set(below.subarray(at, end), at);
      at = end;
    }
    return model;
  }

  [Symbol.dispose](): void {}
}

const PIECES = fc.array(
  fc.record({
    kind: fc.constantFrom<Kind>("data", "zero", "backing", "blocked"),
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
          assert(access.read(new ReadRequest().ask(offset, length).into(target, 2)));
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
    [{ kind: "zero", lengthBytes: 100 }, { kind: "blocked", lengthBytes: 50 }],
    (image, file) => {
      const access = new ImageAccess(image, [file], NO_LIMITS);
      image.blocks = 1;
      const request = new ReadRequest().ask(0, 150).into(new IoBuffer(150), 0);
      assertFalse(access.read(request));
      const { missing } = request.attempt;
      assertEquals([missing.file, missing.hostOffset, missing.hostBytes], [file, 100, 50]);
      assert(access.read(request));
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
      const request = new ReadRequest().ask(0, 150).into(new IoBuffer(150), 0);
      const { attempt } = request;
      attempt.mayWait = false;
      assertFalse(access.read(request));
      assertEquals([attempt.missing.hostOffset, attempt.missing.hostBytes], [100, 50]);
      attempt.warm.set(file, 100, 50);
      assert(access.read(request));
      attempt.warm.clear();
      assertFalse(access.read(request));
      attempt.mayWait = true;
      assert(access.read(request));
    },
  );
});

Deno.test("ImageAccess.read() omits zeros where that is wanted, and nothing else is read", () => {
  const pieces: Piece[] = [{ kind: "zero", lengthBytes: 600 }, { kind: "data", lengthBytes: 100 }];
  withImage(pieces, (image, file) => {
    const access = new ImageAccess(image, [file], NO_LIMITS);
    const request = new ReadRequest().into(new IoBuffer(600), 0);
    const omitted = (offset: number, lengthBytes: number): boolean => {
      request.ask(offset, lengthBytes).mayOmitZeros = true;
      assert(access.read(request));
      return request.hasOmittedZeros;
    };
    assertEquals([omitted(0, 600), omitted(10, 5), omitted(500, 150)], [true, true, false]);
    assert(access.read(request.ask(0, 600)));
    assertFalse(request.hasOmittedZeros);
  });
});

Deno.test("ImageAccess.read() refuses a chain without end", () => {
  withImage([{ kind: "zero", lengthBytes: 1 }], (_image, file) => {
    const endless: Image = {
      sizeBytes: 512,
      map: (offset, length, mapping) => mapping.setBacking(endless, offset, length),
      [Symbol.dispose]: () => {},
    };
    const access = new ImageAccess(endless, [file], NO_LIMITS);
    assertThrows(() => readDisk(access, 0, 512), Error, "images below each other");
  });
});

Deno.test("DiskSeek finds data and holes", () => {
  const pieces: Piece[] = [
    { kind: "zero", lengthBytes: 10 },
    { kind: "data", lengthBytes: 20 },
    { kind: "blocked", lengthBytes: 30 },
    { kind: "zero", lengthBytes: 40 },
  ];
  withImage(pieces, (image, file) => {
    const access = new ImageAccess(image, [file], NO_LIMITS);
    const data = (offset: number): number => seekDisk(access, offset, "data");
    const hole = (offset: number): number => seekDisk(access, offset, "hole");
    assertEquals([data(0), data(10), data(35), data(60)], [10, 10, 35, -1]);
    assertEquals([hole(0), hole(10), hole(35), hole(60), hole(99)], [0, 60, 60, 60, 99]);
  });
});

Deno.test("DiskSeek.step() stops where it would wait, and now and then", () => {
  const blocked: Piece[] = [{ kind: "zero", lengthBytes: 10 }, { kind: "blocked", lengthBytes: 5 }];
  withImage(blocked, (image, file) => {
    image.blocks = 1;
    const access = new ImageAccess(image, [file], NO_LIMITS);
    const seek = new DiskSeek();
    assertEquals([seek.step(access), seek.offset], ["blocked", 10]);
    assertEquals(seek.attempt.missing.hostOffset, 10);
    assertEquals([seek.step(access), seek.offset], ["found", 10]);
  });
  const many = Array.from({ length: 3000 }, (): Piece => ({ kind: "zero", lengthBytes: 1 }));
  withImage(many, (image, file) => {
    const access = new ImageAccess(image, [file], NO_LIMITS);
    const seek = new DiskSeek();
    let steps = 1;
    while (seek.step(access) === "more") steps++;
    assert(steps > 3);
    assertEquals(seek.offset, -1);
  });
});

/** A disk that is its file. */
class PlainImage implements Image {
  readonly writing: Writing;

  constructor(readonly file: ImageFile, readonly sizeBytes: number) {
    this.writing = {
      files: [file],
      writers: "any",
      // In pieces, so that more than one is needed.
      place: (guestOffset, lengthBytes, placement) =>
        placement.setDirect(file, guestOffset, Math.min(lengthBytes, 1000)),
    };
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.file, guestOffset, lengthBytes);
  }

  [Symbol.dispose](): void {}
}

Deno.test("ImageAccess.write() and clear() change the window as the model does", () => {
  const sizeBytes = 8192;
  const action = fc.record({
    kind: fc.constantFrom(ChangeKind.Write, ChangeKind.WriteZeroes, ChangeKind.Discard),
    offset: fc.nat(8191),
    length: fc.nat(8192),
    pieceBits: fc.integer({ min: 8, max: 14 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 10 }), fc.nat(4000), (actions, offsetBytes) => {
      using folder = new TempDirectory();
      const model = seededBytes(sizeBytes, 1);
      const path = folder.file("disk");
      Deno.writeFileSync(path, model);
      const file = openImageFile(path, { readOnly: false });
      const limits = { offsetBytes, sizeLimitBytes: 4000 };
      using access = new ImageAccess(new PlainImage(file, sizeBytes), [file], limits);
      actions.forEach(({ kind, offset, length, pieceBits }, n) => {
        const from = offset % access.sizeBytes;
        const count = Math.min(length, access.sizeBytes - from);
        const at = offsetBytes + from;
        if (kind === ChangeKind.Write) {
          writeDisk(access, from, seededBytes(count, n));
          model.set(seededBytes(count, n), at);
          return;
        }
        const change = new Change().ask(kind, from, count);
        while (change.restBytes > 0) {
          const cleared = access.clear(change, 2 ** pieceBits);
          if (cleared === 0) break; // the file system cannot
          assert(cleared <= 2 ** pieceBits);
          change.doneBytes += cleared;
        }
        model.fill(0, at, at + change.doneBytes);
      });
      assert(sameBytes(Deno.readFileSync(path), model));
    }),
    { numRuns: 100 },
  );
});

Deno.test("ImageAccess changes nothing of a disk that is only read", () => {
  withImage([{ kind: "data", lengthBytes: 512 }], (image, file) => {
    const access = new ImageAccess(image, [file], NO_LIMITS);
    assertEquals([access.readOnly, access.writers, access.filesToSync], [true, "any", []]);
    assertThrows(() => writeDisk(access, 0, new Uint8Array(8)), Error, "read-only");
  });
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
