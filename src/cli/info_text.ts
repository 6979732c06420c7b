/**
 * `--info` for people, in the manner of `qemu-img info`.
 *
 * @module
 */
import type { ImageInfo, InfoValue, SnapshotInfo } from "../image/info.ts";
import type { InspectedImage } from "../disk/inspect.ts";
import { type NamedBelow, namedBelow } from "./named_below.ts";
import { safeText } from "../sys/safe_text.ts";
import { formatTable } from "./listing/table.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;
const STEP = 1024;

/** One paragraph for each image, the first one first. */
export function infoText(images: readonly InspectedImage[]): string {
  return images.map((image, index) => imageText(image, images[index + 1])).join("\n");
}

function imageText(image: InspectedImage, below: InspectedImage | undefined): string {
  const { path, info, allocatedBytes } = image;
  const { sizeBytes, clusterBytes, dirty, encrypted } = info;
  const lines = [
    line("image", path),
    line("file format", info.format),
    line("virtual size", sizeText(sizeBytes)),
    line("disk size", humanSize(allocatedBytes)),
    clusterBytes === undefined ? "" : line("cluster size", String(clusterBytes)),
    dirty ? line("dirty", "yes: it was not closed in order") : "",
    encrypted ? line("encrypted", "yes") : "",
    backingLines(namedBelow(image, below)),
    snapshotLines(info.snapshots ?? []),
    specificLines(info),
  ];
  return lines.join("");
}

function sizeText(sizeBytes: ImageInfo["sizeBytes"]): string {
  if (sizeBytes === undefined) return "not known before it is decompressed";
  return `${humanSize(sizeBytes)} (${sizeBytes} bytes)`;
}

/** `label: value`, where the value comes from the image and may be anything. */
function line(label: string, value: string): string {
  return `${label}: ${safeText(value)}\n`;
}

function backingLines(named: NamedBelow | undefined): string {
  if (named === undefined) return "";
  const { name, fullName = name, format } = named;
  const actual = fullName === name ? "" : ` (actual path: ${fullName})`;
  return line("backing file", `${name}${actual}`) +
    (format === undefined ? "" : line("backing file format", format));
}

const SNAPSHOT_COLUMNS = [
  { heading: "ID", align: "left", maxWidth: 40 },
  { heading: "NAME", align: "left", maxWidth: 80 },
  { heading: "VM-SIZE", align: "right" },
  { heading: "DATE", align: "left" },
  { heading: "VM-CLOCK", align: "right" },
] as const;

function snapshotLines(snapshots: readonly SnapshotInfo[]): string {
  if (snapshots.length === 0) return "";
  const rows = snapshots.map((snapshot) => [
    snapshot.id,
    snapshot.name,
    humanSize(snapshot.vmStateBytes),
    dateText(snapshot.dateSeconds),
    clockText(snapshot.vmClockSeconds, snapshot.vmClockNanoseconds),
  ]);
  return `snapshots:\n${indented(formatTable(SNAPSHOT_COLUMNS, rows))}`;
}

/** Universal time: whose local time it was is not known. */
function dateText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** Hours, minutes, seconds and milliseconds. */
function clockText(seconds: number, nanoseconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const milliseconds = String(Math.floor(nanoseconds / 1e6)).padStart(3, "0");
  const hours = two(seconds / 3600);
  return `${hours}:${two(seconds / 60 % 60)}:${two(seconds % 60)}.${milliseconds}`;
}

function specificLines({ specific }: ImageInfo): string {
  if (specific === undefined) return "";
  return `format specific information:\n${indented(valueLines(specific.data))}`;
}

/** The members of a value, each on lines of its own. */
function valueLines(value: InfoValue): string {
  if (typeof value !== "object") return `${safeText(String(value))}\n`;
  return Object.entries(value).map(([key, member]: [string, InfoValue]) => {
    const label = Array.isArray(value) ? `[${key}]` : key.replaceAll("-", " ");
    if (typeof member !== "object") return line(label, String(member));
    return `${label}:\n${indented(valueLines(member))}`;
  }).join("");
}

function indented(lines: string): string {
  return lines.replace(/^(?=.)/gm, "    ");
}

/** Three significant digits, as `qemu-img info` gives them: `216 KiB`, `2.19 MiB`. */
export function humanSize(bytes: number | bigint): string {
  let value = Number(bytes);
  let unit = 0;
  for (; value >= STEP && unit < UNITS.length - 1; unit++) value /= STEP;
  const digits = value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return `${digits} ${UNITS[unit]}`;
}
