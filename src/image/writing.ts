/**
 * The part of the contract that writable images have.
 *
 *     place ──Direct──> write there
 *       │
 *       └────Fresh───> read what the rest of the unit has ──> reserve ──> write ──> settle
 *
 * A unit is what a table says one thing of: a cluster, say. Nothing waits between `reserve` and
 * `settle`; what has to wait does so before, having changed nothing, and begins anew.
 *
 * @module
 */
import type { SectorCipher } from "../crypt/sector_cipher.ts";
import { Attempt } from "../storage/attempt.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { SnapshotChange } from "./snapshot_change.ts";
import type { Level, Updates } from "./updates.ts";

/** What is to be done to write somewhere. */
export const Place = {
  /** The bytes go to where the disk has them already. */
  Direct: 0,
  /** They get a place of their own, with all of their units around them. */
  Fresh: 1,
  /** Not known yet: what has to come first, the attempt says. */
  Blocked: 2,
} as const;

export type Place = typeof Place[keyof typeof Place];

/** Where guest bytes may be written; one record is filled again and again. */
export class Placement {
  /** On whose behalf: tables are read as far as it may wait for them. */
  attempt: Attempt;
  kind: Place = Place.Direct;
  /** The first byte it is about, in the disk. */
  guestOffset = 0;
  /** Direct, and Fresh once reserved: where that byte goes to. */
  file: ImageFile | undefined = undefined;
  hostOffset = 0;
  /** Guest bytes the answer holds for, from the asked offset on; 1 up to the asked length. */
  lengthBytes = 0;
  /** What encrypts them, and what it counts the sector as that `hostOffset` lies in. */
  cipher: SectorCipher | undefined = undefined;
  firstSector = 0;
  /** Fresh: bytes of the first unit before them, and of the last one behind them, to be kept. */
  headBytes = 0;
  tailBytes = 0;
  /** Fresh, once reserved: zeros before and behind all of these that get their place with them. */
  blankBefore = 0;
  blankBehind = 0;
  /** Fresh: whether head and tail read as zeros. */
  readsAsZeros = false;
  /** Fresh: whether the units have a place already, which only is not in use. */
  hasPlace = false;
  /** Fresh, once reserved: whether the place has zeros, so that none need be written. */
  isBlank = false;
  /** Fresh, once reserved: whether what says where the units are may be written before they are durable. */
  isCounted = false;

  constructor(attempt: Attempt = new Attempt()) {
    this.attempt = attempt;
  }

  /** The bytes go straight to a file, and nothing has to be recorded of it. */
  setDirect(file: ImageFile, hostOffset: number, lengthBytes: number): void {
    this.kind = Place.Direct;
    this.file = file;
    this.hostOffset = hostOffset;
    this.lengthBytes = lengthBytes;
    this.cipher = undefined;
    this.headBytes = 0;
    this.tailBytes = 0;
    this.blankBefore = 0;
    this.blankBehind = 0;
  }

  /** Units of their own, in which so many bytes come before and behind those that are written. */
  setFresh(headBytes: number, lengthBytes: number, tailBytes: number): void {
    this.kind = Place.Fresh;
    this.headBytes = headBytes;
    this.lengthBytes = lengthBytes;
    this.tailBytes = tailBytes;
    this.blankBefore = 0;
    this.blankBehind = 0;
    this.cipher = undefined;
    this.hasPlace = false;
    this.isBlank = false;
    this.isCounted = false;
  }

  /**
   * As {@link Placement.setFresh}, of bytes that begin `inUnit` bytes behind the start of a unit: a part of
   * that one, or whole ones.
   */
  setFreshUnits(inUnit: number, lengthBytes: number, unitBytes: number): void {
    if (inUnit === 0 && lengthBytes >= unitBytes) {
      return this.setFresh(0, lengthBytes - lengthBytes % unitBytes, 0);
    }
    const partBytes = Math.min(lengthBytes, unitBytes - inUnit);
    this.setFresh(inUnit, partBytes, unitBytes - inUnit - partBytes);
  }

  setBlocked(): void {
    this.kind = Place.Blocked;
    this.lengthBytes = 0;
  }
}

/**
 * Making a disk larger. Between the two steps the disk has its old size, but what lies behind its end
 * can be mapped and changed already. Nobody else changes the image meanwhile, and no round is under way.
 *
 *     prepare ──> what does not read as zeros behind the end is cleared ──> finish
 */
export interface Growth {
  /**
   * Has there be room for what describes a disk of `sizeBytes`, which is more than it has. What has been
   * changed is durable.
   *
   * @param flush makes durable what has been changed
   * @throws {RangeError} if the image cannot describe a disk like that; nothing has been changed then
   * @throws {SystemError} if that cannot be written
   */
  prepare(sizeBytes: number, flush: () => void): void;
  /**
   * Has the disk be as large as was prepared, durably and at once: no crash leaves it in between.
   *
   * @throws {SystemError} if that cannot be written
   */
  finish(): void;
}

/**
 * Changing the internal snapshots of an image that is in use. What has been changed of its disk before
 * is in a snapshot that is taken. Nobody changes the image meanwhile, and no round is under way.
 */
export interface Snapshots {
  /**
   * How many there are, on the disk.
   *
   * @throws {SystemError | ImageFormatError} if that cannot be read
   */
  readonly count: number;
  /**
   * Creates a snapshot, or deletes one; whatever comes between, the image is as it was, or as it is to be.
   *
   * @param flush makes durable what has been changed
   * @throws {RangeError} if the image cannot have it so
   * @throws {ImageFormatError} if it is damaged, or there is no such snapshot
   * @throws {SystemError} if that cannot be written
   */
  change(change: SnapshotChange, flush: () => void): void;
}

/**
 * How many threads may change an image: with tables in memory, only the one that has them. What any may
 * write is Direct and not encrypted, so that whoever has the bytes can write them.
 */
export type Writers = "one" | "any";

/** What changes an image. A read-only one has none. */
export interface Writing {
  /** Files whose writes a flush has to make durable. */
  readonly files: readonly ImageFile[];
  readonly writers: Writers;
  /** Whether others read one of the files as the disk, without tables: zeros have to be there, too. */
  readonly isReadPlainly?: boolean;
  /**
   * Says where the guest bytes from `guestOffset` on go to, for as many as one answer holds for, at
   * most `lengthBytes`. The range lies within the disk. Fills `placement`.
   *
   * @throws {ImageFormatError} if the metadata of this place is damaged
   * @throws {SystemError} if nothing may be written any more
   */
  place(guestOffset: number, lengthBytes: number, placement: Placement): void;
  /** What gives new places, and records them; without it, all of them are Direct. */
  readonly tables?: Tables | undefined;
  /** What makes the disk larger; without it, that is not possible. */
  readonly growth?: Growth;
  /** What changes internal snapshots; without it, there are none. */
  readonly snapshots?: Snapshots;
  /** What encrypts all that is written to units of their own, if that is encrypted. */
  readonly cipher?: SectorCipher | undefined;
  /**
   * Frees what counts as used and is not, as a daemon leaves it that is killed. Called before the first
   * change, when no round is under way.
   *
   * @throws {SystemError} if that cannot be written
   */
  reclaim?(): void;
  /**
   * Writes what says that the image was closed in order. Called once, when nobody changes it any more
   * and all that has been changed is durable; what it writes is made durable after it.
   *
   * @throws {SystemError} if that cannot be written
   */
  conclude?(): void;
}

/** What is to become of units that are cleared. */
export const Cleared = {
  /** They read as zeros, or are as they were before; what they take is freed. */
  Discarded: 0,
  /** They read as zeros; what they take is freed. */
  Zeros: 1,
  /** They read as zeros, and keep what they take. */
  KeptZeros: 2,
  /** What lies below shows, as if they had never been written; what they take is freed. Whole clusters only. */
  Nothing: 3,
} as const;

export type Cleared = typeof Cleared[keyof typeof Cleared];

/** What {@link Tables.clear} answers besides a number of bytes. */
export const ClearOutcome = {
  /** The format cannot say that: zeros have to be written. */
  Unable: 0,
  /** What has to come first, the attempt says. */
  Blocked: -1,
} as const;

/** The tables of an image: all of it in memory, until its updates are taken. */
export interface Tables {
  /** Size of a unit in bytes, a power of two. */
  readonly unitBytes: number;
  /**
   * Whether units that have a place keep it, and get it with others that then have one, too: what is cleared and
   * has none has never had one, and nothing is changed by that.
   */
  readonly clearsInPlace?: boolean;
  /**
   * Reserves the place that a Fresh placement is about, and says where it is. Of whole units it may be
   * fewer than asked for. To be followed by {@link Tables.settle} at once.
   *
   * @returns false if something has to come first, which the placement's attempt says
   * @throws {ImageFormatError | SystemError} if there is no room, or the image is damaged
   */
  reserve(placement: Placement): boolean;
  /** Has the units be what has been written, or, if that has failed, gives the place back. */
  settle(placement: Placement, isWritten: boolean): void;
  /**
   * Clears whole units, the last of which may end with the disk.
   *
   * @returns how many bytes of them, or a {@link ClearOutcome}
   * @throws {ImageFormatError | SystemError} if the image is damaged, or there is no room for a table
   */
  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number;
  /**
   * Whether all has been written that says where a range is, so that the next sync of the files makes it
   * durable, and nothing else is needed.
   */
  isRecorded(guestOffset: number, lengthBytes: number): boolean;
  /** Whether there is something to be written of what has been changed. */
  readonly hasUpdates: boolean;
  /** Whether there is so much of it that it had better be written now. */
  readonly wantsFlush: boolean;
  /** Whether less would be lost with the process if updates were written soon. */
  readonly wantsFlushSoon: boolean;
  /** Adds all that has to be written, as it is now, to `updates`. */
  takeUpdates(updates: Updates): void;
  /** Says that of what was taken last, all up to this level is durable, and that the next one follows. */
  reached(level: Level): void;
  /** Says whether what was taken last is durable; if not, it will be taken again. */
  updated(isDurable: boolean): void;
  /**
   * Frees some of what nothing durable refers to any more.
   *
   * @returns whether there is more of that
   * @throws {ImageFormatError | SystemError} if the image is damaged, or cannot be changed
   */
  freeSome(): boolean;
}
