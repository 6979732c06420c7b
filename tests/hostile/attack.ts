/**
 * A process that opens hostile images of one feature, one after the other:
 *
 *     deno run attack.ts FOLDER FEATURE COUNT SEED
 *
 * It prints how many it has survived, every now and then; whoever started it watches the time.
 *
 * @module
 */
import { readDisk } from "../support/disk.ts";
import { DiskMap } from "../../src/disk/disk_map.ts";
import {
  ImageFormatError,
  RelatedFileError,
  SecretError,
  UnsupportedFeatureError,
} from "../../src/image/errors.ts";
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { inspect } from "../../src/disk/inspect.ts";
import { keyRing } from "../../src/image/key_ring.ts";
import { openImage } from "../../src/disk/open.ts";
import { openImageFile } from "../../src/disk/open_file.ts";
import type { ImageRequest } from "../../src/disk/request.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { randomNumbers } from "../support/images.ts";
import { KeyWork } from "./key_work.ts";
import { MutableFile, Mutator, type Patch } from "./mutations.ts";
import { hostileNames, indexOf, PASSPHRASE, VICTIMS } from "./victims.ts";

const READ_BYTES = 32768;
const MAP_STEPS = 300;
/** Reports cost time, so that they come less often than images where these are quick. */
const REPORT_MS = 100;
/** So often garbage is collected: what grows is what an image has taken, or what is never freed. */
const IMAGES_TO_COLLECT = 50;
/** Some seconds of key derivation; an image that asks for more is replaced by another one. */
const MOST_ITERATIONS = 2 ** 21;
const EXPECTED = [
  ImageFormatError,
  RelatedFileError,
  SecretError,
  SystemError,
  UnsupportedFeatureError,
] as const;

function attack(folder: string, feature: string, count: number, seed: number): void {
  const path = `${folder}/image`;
  const original = Deno.readFileSync(path);
  const victim = VICTIMS[feature];
  if (victim === undefined) throw new Error(`no feature ${feature}`);
  const snapshot = victim.snapshot;
  const request: ImageRequest = {
    format: victim.driver,
    readOnly: true,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    backingFormat: "RAW",
    ...(snapshot === undefined ? {} : { snapshot }),
  };
  const mutator = new Mutator(original, namePatches(folder, original), victim);
  const keyWork = new KeyWork(original);
  using file = new MutableFile(path, original);
  let reported = 0;
  for (let index = 0; index < count; index++) {
    const random = randomNumbers(seed + index);
    let mutation = mutator.next(random);
    while (keyWork.iterationsAfter(mutation) > MOST_ITERATIONS) mutation = mutator.next(random);
    file.apply(mutation);
    try {
      openAndRead(path, { ...request, force: random() < 0.5 }, random);
    } catch (error) {
      throw new Error(`number ${seed + index} of ${feature}`, { cause: error });
    }
    file.restore(mutation);
    if (index % IMAGES_TO_COLLECT === 0) collectGarbage();
    if (index > 0 && performance.now() - reported < REPORT_MS) continue;
    report(`${index}\n`);
    reported = performance.now();
  }
}

/** V8's, where it is run with --expose-gc. */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

function report(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Hostile names in the place of the name that the image has. */
function namePatches(folder: string, original: Uint8Array): Patch[] {
  const name = new TextEncoder().encode("below-the-image-with");
  const nameAt = indexOf(original, name);
  if (nameAt < 0) return [];
  return hostileNames(`${folder.replace(/[^/]*$/, "")}outside/secret`).map((text) => {
    // A NUL ends the name for whoever takes it as a C string; without it, the rest would follow.
    const bytes = new TextEncoder().encode(`${text}\0`);
    return { at: startOfName(original, nameAt), bytes };
  });
}

function startOfName(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && (bytes[start - 1] === 0x2f || bytes[start - 1] === 0x2e)) start--;
  return start;
}

function openAndRead(path: string, request: ImageRequest, random: () => number): void {
  tolerate(() => inspect(path, { request, ignoreLocks: false }));
  tolerate(() => {
    const { file } = openImageFile(path, { readOnly: true });
    const keys = keyRing(new TextEncoder().encode(PASSPHRASE));
    using access = openImage(file, request, { keys });
    checkFiles(path, access);
    tolerate(() => lookAtMap(access));
    for (const share of [0, 1, random(), random()]) {
      tolerate(() => readOne(access, Math.floor(share * access.sizeBytes)));
    }
  });
}

/** Only the errors that a damaged image may cause are caught. */
function tolerate(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}

/** A mutation can make an image one of version 1, which has no snapshots to ask for. */
function isExpected(error: unknown): boolean {
  return EXPECTED.some((kind) => error instanceof kind) ||
    error instanceof RangeError && error.message.endsWith("have no internal snapshots");
}

function checkFiles(path: string, access: ImageAccess): void {
  const folder = `${path.slice(0, path.lastIndexOf("/"))}/`;
  for (const { fd } of access.sharedFiles) {
    const real = Deno.readLinkSync(`/proc/self/fd/${fd}`);
    if (!real.startsWith(folder)) throw new Error(`${real} was opened`);
  }
}

function lookAtMap(access: ImageAccess): void {
  let steps = 0;
  for (const _ of new DiskMap(access)) {
    if (++steps === MAP_STEPS) return;
  }
}

function readOne(access: ImageAccess, offset: number): void {
  const start = Math.max(0, Math.min(offset, access.sizeBytes - READ_BYTES));
  const lengthBytes = Math.min(READ_BYTES, access.sizeBytes - start);
  readDisk(access, start, lengthBytes);
}

const [folder = "", feature = "", count = "", seed = ""] = Deno.args;
attack(folder, feature, Number(count), Number(seed));
