/**
 * Where large files are kept that nobody wants back.
 *
 * @module
 */
import { environment } from "../sys/environment.ts";
import { absolutePath } from "./device_names.ts";

/** Of programs that do without them after a reboot: on a disk, other than /tmp. */
const TEMPORARY_FOLDER = "/var/tmp";

/** Absolute path of the folder. */
export function temporaryFolder(): string {
  return absolutePath(environment("TMPDIR") || TEMPORARY_FOLDER);
}
