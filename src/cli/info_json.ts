/**
 * `--info --json`: keys and values as `qemu-img info --output=json` has them (QAPI, `ImageInfo`).
 *
 * @module
 */
import type { BackingInfo, ImageInfo, InfoValue, SnapshotInfo } from "../image/info.ts";
import type { InspectedImage } from "../disk/inspect.ts";

const INDENT = 3;

/** The first image, with each image below it in the `backing-image` of the one above. */
export function infoJson(images: readonly InspectedImage[]): string {
  const nested = images.reduceRight<InfoValue | undefined>(
    (below, image) => ({
      ...imageFields(image),
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

function imageFields({ path, info, allocatedBytes }: InspectedImage): Record<string, InfoValue> {
  return {
    "filename": path,
    "format": info.format,
    ...(info.sizeBytes === undefined ? {} : { "virtual-size": info.sizeBytes }),
    "actual-size": allocatedBytes,
    ...(info.clusterBytes === undefined ? {} : { "cluster-size": info.clusterBytes }),
    "dirty-flag": info.dirty ?? false,
    ...(info.encrypted ? { encrypted: true } : {}),
    ...(info.backing === undefined ? {} : backingFields(path, info.backing)),
    ...(info.snapshots === undefined ? {} : { snapshots: info.snapshots.map(snapshotFields) }),
    ...specificFields(info),
  };
}

function backingFields(path: string, { name, format }: BackingInfo): Record<string, InfoValue> {
  return {
    "backing-filename": name,
    "full-backing-filename": fullName(path, name),
    ...(format === undefined ? {} : { "backing-filename-format": format }),
  };
}

/** A relative name as it is found from here, by way of the image that names it. */
export function fullName(path: string, name: string): string {
  const hasProtocol = /^[^/:]*:/.test(name);
  if (hasProtocol || name.startsWith("/")) return name;
  return path.slice(0, path.lastIndexOf("/") + 1) + name;
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
