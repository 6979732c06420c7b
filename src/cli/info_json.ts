/**
 * `--info --json`: keys and values as `qemu-img info --output=json` has them (QAPI, `ImageInfo`).
 *
 * @module
 */
import type { ImageInfo, InfoValue, SnapshotInfo } from "../image/info.ts";
import type { InspectedImage } from "../disk/inspect.ts";
import { type NamedBelow, namedBelow } from "./named_below.ts";

const INDENT = 3;

/** The first image, with each image below it in the `backing-image` of the one above. */
export function infoJson(images: readonly InspectedImage[]): string {
  const nested = images.reduceRight<InfoValue | undefined>(
    (below, image, index) => ({
      ...imageFields(image, images[index + 1]),
      ...(below === undefined ? {} : { "backing-image": below }),
    }),
    undefined,
  );
  return `${JSON.stringify(nested, exactNumbers, INDENT)}\n`;
}

/** ECMAScript's, which the compiler's library does not know yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** Numbers that are too large to be one here are written out, as qemu does. */
function exactNumbers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJSON(String(value)) : value;
}

function imageFields(
  image: InspectedImage,
  below: InspectedImage | undefined,
): Record<string, InfoValue> {
  const { path, info, allocatedBytes } = image;
  const named = namedBelow(image, below);
  return {
    "filename": path,
    "format": info.format,
    ...(info.sizeBytes === undefined ? {} : { "virtual-size": info.sizeBytes }),
    "actual-size": allocatedBytes,
    ...(info.clusterBytes === undefined ? {} : { "cluster-size": info.clusterBytes }),
    "dirty-flag": info.dirty ?? false,
    ...(info.encrypted ? { encrypted: true } : {}),
    ...(named === undefined ? {} : backingFields(named)),
    ...(info.snapshots === undefined ? {} : { snapshots: info.snapshots.map(snapshotFields) }),
    ...specificFields(info),
  };
}

function backingFields({ name, fullName, format }: NamedBelow): Record<string, InfoValue> {
  return {
    "backing-filename": name,
    ...(fullName === undefined ? {} : { "full-backing-filename": fullName }),
    ...(format === undefined ? {} : { "backing-filename-format": format }),
  };
}

function snapshotFields(snapshot: SnapshotInfo): InfoValue {
  return {
    "id": snapshot.id,
    "name": snapshot.name,
    "vm-state-size": snapshot.vmStateBytes,
    "date-sec": snapshot.dateSeconds,
    "date-nsec": snapshot.dateNanoseconds,
    "vm-clock-sec": snapshot.vmClockSeconds,
    "vm-clock-nsec": snapshot.vmClockNanoseconds,
    ...(snapshot.icount === undefined ? {} : { icount: snapshot.icount }),
  };
}

function specificFields({ specific }: ImageInfo): Record<string, InfoValue> {
  if (specific === undefined) return {};
  return { "format-specific": { type: specific.type, data: specific.data } };
}
