/**
 * Starting the daemon of an attach while its command is still being loaded.
 *
 * @module
 */
import { Daemons } from "../daemon/launch.ts";
import { type AttachCommand, wantsServer } from "../device/attach_command.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";

/** The daemons of an attach; the first one starts at once where the words tell that it is needed. */
export function headStart(command: AttachCommand): Daemons {
  const daemons = new Daemons({ mayLeaveUnit: !command.foreground });
  if (needsDaemon(command)) {
    daemons.startAhead(command.transport === "socket" ? "socket" : "device");
  }
  return daemons;
}

/**
 * RAW images may go to the loop driver alone, others may be shown by a view, and a device that is there
 * already may do.
 */
function needsDaemon(command: AttachCommand): boolean {
  const { transport, format, noOverlap, device, overlay } = command;
  if (noOverlap || transport === "loop" || transport === "view") return false;
  if (transport !== "auto" || overlay !== undefined) return true;
  if (format === undefined || format === RAW.name || format === AUTO_FORMAT) return false;
  return wantsServer(command) || device?.includes("nbd") === true;
}
