/**
 * `--map`: which parts of an image's disk are stored, and where.
 *
 * @module
 */
import { DiskMap, type MapEntry } from "../disk/disk_map.ts";
import { openToInspect } from "../disk/inspect.ts";
import { openImage } from "../disk/open.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { print } from "../sys/console.ts";
import { absolutePath } from "../device/device_names.ts";
import { type ImageCommand, imageRequest } from "./words/image_command.ts";
import { lookInto } from "./info.ts";
import { withRealPaths } from "./real_paths.ts";
import { safeText } from "../sys/safe_text.ts";

/** So much is printed at once. */
const CHUNK_LINES = 4096;

/**
 * Prints the runs of the disk.
 *
 * @throws {CommandError} if the image cannot be read
 */
export function map(command: ImageCommand): number {
  using access = lookInto(command, () => open(command));
  const lines = command.json ? jsonLines : textLines;
  let chunk = "";
  let count = 0;
  lookInto(command, () => {
    for (const line of lines(new DiskMap(access))) {
      chunk += line;
      if (++count % CHUNK_LINES > 0) continue;
      print(chunk);
      chunk = "";
    }
  });
  print(chunk);
  return 0;
}

function open(command: ImageCommand): ImageAccess {
  const request = withRealPaths(imageRequest(command));
  const ignoreLocks = command.force;
  const { file, driver } = openToInspect(absolutePath(command.file), { request, ignoreLocks });
  return openImage(file, { ...request, format: driver.name }, { ignoreLocks, mapOnly: true });
}

/** An array as `qemu-img map --output=json` prints it: one object on each line. */
function* jsonLines(runs: Iterable<MapEntry>): Generator<string> {
  let before = "[";
  for (const run of runs) {
    yield `${before}${JSON.stringify(jsonEntry(run))}`;
    before = ",\n";
  }
  yield before === "[" ? "[]\n" : "]\n";
}

function jsonEntry(run: MapEntry): Record<string, number | boolean> {
  const { start, lengthBytes, depth, isPresent, isZero, isData, isCompressed } = run;
  return {
    start,
    length: lengthBytes,
    depth,
    present: isPresent,
    zero: isZero,
    data: isData,
    compressed: isCompressed,
    ...(run.path === undefined ? {} : { offset: run.hostOffset }),
  };
}

const WIDTH = 16;

function* textLines(runs: Iterable<MapEntry>): Generator<string> {
  yield textLine(["START", "LENGTH", "DEPTH", "KIND", "OFFSET", "FILE"]);
  for (const { start, lengthBytes, depth, path, hostOffset, ...run } of runs) {
    const place = path === undefined ? ["-", "-"] : [String(hostOffset), safeText(path)];
    yield textLine([String(start), String(lengthBytes), String(depth), kindOf(run), ...place]);
  }
}

function textLine([start, length, depth, kind, offset, file]: readonly string[]): string {
  const numbers = `${start?.padStart(WIDTH)} ${length?.padStart(WIDTH)} ${depth?.padStart(5)}`;
  return `${numbers} ${kind?.padEnd(10)} ${offset?.padStart(WIDTH)} ${file}\n`;
}

function kindOf(run: Pick<MapEntry, "isData" | "isZero" | "isPresent" | "isCompressed">): string {
  if (run.isCompressed) return "compressed";
  if (run.isData) return run.isZero ? "allocated" : "data";
  return run.isPresent ? "zero" : "absent";
}
