/**
 * Views on loop devices. There is no process and no state file: what they are is found in the kernel.
 *
 * @module
 */
import { diskNames, nodePath } from "../kernel/block_devices.ts";
import { type LoopStatus } from "../kernel/loop_layout.ts";
import { loopBackingPath, loopStatusIfAny } from "../kernel/loop_status.ts";
import { isBelowView, VIEW_LABELS } from "../kernel/view_labels.ts";
import { ifPossible } from "../sys/errno.ts";
import { O_RDONLY, openFile } from "../sys/files.ts";
import { readLink } from "../sys/paths.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { decodeDescription, DESCRIPTION_BYTES, type ViewDescription } from "../view/description.ts";

/** linux/major.h */
const LOOP_MAJOR = 7;

/** Paths, as they are now, of the files that loop devices below views have open. */
export function filesBelowViews(): string[] {
  return diskNames("loop")
    .filter((name) => isBelowView(loopStatusIfAny(nodePath(name))))
    .flatMap((name) => loopBackingPath(name) ?? []);
}

/** The image that a loop device with this status shows by a view; undefined if it is no view. */
export function viewShown(status: LoopStatus | undefined): ViewDescription | undefined {
  const metadata = metadataBelow(status);
  return metadata === undefined ? undefined : ifPossible(() => decodeDescription(headOf(metadata)));
}

/** The device that has the metadata of a view: the file system of the backing file lies on it. */
function metadataBelow(status: LoopStatus | undefined): string | undefined {
  if (status === undefined || status.backingDevice.major !== LOOP_MAJOR) return undefined;
  const { major, minor } = status.backingDevice;
  const link = ifPossible(() => readLink(`/sys/dev/block/${major}:${minor}`));
  const name = link?.slice(link.lastIndexOf("/") + 1) ?? `loop${minor}`;
  const path = nodePath(name);
  return loopStatusIfAny(path)?.fileName === VIEW_LABELS.metadata ? path : undefined;
}

function headOf(path: string): Uint8Array {
  using device = openFile(path, O_RDONLY);
  const head = new IoBuffer(DESCRIPTION_BYTES);
  const count = libc().pread(device.number, head.address, head.size, 0);
  return head.bytes.subarray(0, Math.max(0, count));
}
