/**
 * Checking an image: its footers, and what its table says of where blocks are. Nothing is repaired: the next
 * writer puts footers right, and cuts off what a crash has left.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../image/checking.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { VHD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type BlockHeader, type Header, readHeader } from "./header.ts";
import { FOOTER_BYTES } from "./layout.ts";
import { memoryForPlaces, surveyPlaces } from "./write/used_places.ts";

const MOST_MEMORY_BYTES = 128 * 1024 * 1024;

/**
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} as {@link readHeader}; if something shall be repaired
 * @throws {RangeError} if it takes too much memory
 * @throws {SystemError} if the file cannot be read
 */
export function checkVhd(file: ImageFile, options: CheckOptions): CheckResult {
  if (options.repair !== "none") throw new UnsupportedFeatureError(VHD.name, file.path, "a repair");
  const header = readHeader(file, { force: true });
  let corruptions = 0;
  const report = (message: string, hostOffset: number): void => {
    corruptions++;
    options.report(`${message}, at 0x${hostOffset.toString(16)}`);
  };
  checkFooters(file, header, report);
  const rest = header.blocks === undefined
    ? fixedFill(header)
    : blockFill(file, { ...header, header: header.blocks }, report);
  return { corruptions, corruptionsFixed: 0, leaksFixed: 0, compressedClusters: 0, ...rest };
}

type Fill = Omit<
  CheckResult,
  "corruptions" | "corruptionsFixed" | "leaksFixed" | "compressedClusters"
>;
type FaultReport = Parameters<typeof surveyPlaces>[2];

function checkFooters(file: ImageFile, { footer, blocks }: Header, report: FaultReport): void {
  const end = file.sizeBytes - FOOTER_BYTES;
  if (footer.isCopy) report("the footer is missing or damaged", end);
  else if (footer.isDamaged) report("the checksum of the footer is wrong", end);
  if (blocks !== undefined && !footer.hasCopy && !footer.isCopy) {
    report("the copy of the footer is missing or another one", 0);
  }
  if (blocks?.isDamaged) {
    report("the checksum of the dynamic header is wrong", Number(footer.fields.data_offset));
  }
}

/** A fixed image has no blocks. */
function fixedFill({ sizeBytes }: Header): Fill {
  return {
    leaks: 0,
    imageEndOffset: sizeBytes + FOOTER_BYTES,
    totalClusters: 0,
    allocatedClusters: 0,
    fragmentedClusters: 0,
  };
}

function blockFill(
  file: ImageFile,
  { footer, header, sizeBytes }: Header & { readonly header: BlockHeader },
  report: FaultReport,
): Fill {
  if (memoryForPlaces(header) > MOST_MEMORY_BYTES) {
    throw new RangeError(`a table of ${header.entries} entries takes too much memory`);
  }
  const found = surveyPlaces(file, { header, footer }, report);
  const { storedBlocks, unusedBlocks, endBytes, fragmented } = found;
  return {
    leaks: unusedBlocks,
    imageEndOffset: endBytes + FOOTER_BYTES,
    totalClusters: Math.ceil(sizeBytes / header.blockBytes),
    allocatedClusters: storedBlocks,
    fragmentedClusters: fragmented,
  };
}
