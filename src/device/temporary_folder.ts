/**
 * Where large files are kept that nobody wants back.
 *
 * @module
 */
import { environment } from "../sys/environment.ts";
import { ifPossible } from "../sys/errno.ts";
import { absolutePath } from "./device_names.ts";

/** Of programs that do without them after a reboot: on a disk, other than /tmp. */
const TEMPORARY_FOLDER = "/var/tmp";

/** Path of the folder, which need not be there: hardly any image needs it. */
export function temporaryFolder(): string {
  const folder = environment("TMPDIR") || TEMPORARY_FOLDER;
  return ifPossible(() => absolutePath(folder)) ?? folder;
}
