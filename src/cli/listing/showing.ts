/**
 * The devices that show an image.
 *
 * @module
 */
import { absolutePath } from "../../device/device_names.ts";
import { ifPossible } from "../../sys/errno.ts";
import type { AnyDevice } from "./devices.ts";
import { wantedFile } from "./wanted_file.ts";

/** Those of `devices` that show the image named `asked`, which may be the name of one of its pieces. */
export async function devicesShowing(
  asked: string,
  devices: readonly AnyDevice[],
): Promise<AnyDevice[]> {
  const wanted = wantedFile(asked);
  const found = devices.filter((device) => device.isOf(wanted));
  if (found.length > 0 || devices.length === 0) return found;
  const { imageOfPiece } = await import("../../disk/whole_image.ts");
  const piece = ifPossible(() => absolutePath(asked));
  const whole = piece === undefined ? undefined : imageOfPiece(piece);
  if (whole === undefined) return [];
  const image = wantedFile(whole);
  return devices.filter((device) => device.isOf(image));
}
