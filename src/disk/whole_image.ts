/**
 * Finding the image that a file is a piece of.
 *
 * @module
 */
import { firstSegmentName } from "../format/ewf/segment_names.ts";
import { descriptorPath } from "../format/vmdk/errors.ts";
import { EWF, VMDK } from "../image/formats.ts";
import { identityOf } from "../storage/image_file.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { folderOf } from "../sys/paths.ts";
import { filesOf } from "./disk_files.ts";
import { imageOfFolder } from "./image_folder.ts";
import { openToInspect } from "./inspect.ts";

/** A file that may be the one by which an image is named. */
interface Candidate {
  readonly path: string;
  readonly format: string;
}

/**
 * The path of the file by which the image is named whose disk lies in the file at `path` as well; undefined
 * if there is none, or it cannot be read. Names tell where to look, and that image which its pieces are.
 */
export function imageOfPiece(path: string): string | undefined {
  const status = fileStatusIfAny(path);
  if (status?.kind !== "file") return undefined;
  const identity = identityOf(status);
  return candidatesFor(path).find((candidate) => hasFile(candidate, identity))?.path;
}

function candidatesFor(path: string): Candidate[] {
  const folder = folderOf(path);
  const [descriptor, first] = [descriptorPath(path), firstSegmentName(path)];
  const folders = [folder, folderOf(folder)].map((name) => imageOfFolder(name));
  return [
    ...(descriptor === undefined ? [] : [{ path: descriptor, format: VMDK.name }]),
    ...(first === undefined ? [] : [{ path: first, format: EWF.name }]),
    ...folders.filter((image) => image !== undefined),
  ];
}

function hasFile({ path, format }: Candidate, identity: string): boolean {
  const request = { format, readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const options = { request, ignoreLocks: true };
  try {
    const layer = openToInspect(path, options);
    using _file = layer.file;
    return filesOf(layer, options, (files) => files.some((file) => file.identity === identity));
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
