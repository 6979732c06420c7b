/**
 * Which transport makes the device, where the user leaves it open.
 *
 * @module
 */
import type { ServedTransport } from "../daemon/served_transport.ts";
import { canUseNbd } from "../kernel/modules.ts";
import { hasSysfs } from "../kernel/sysfs_disks.ts";
import { libc } from "../sys/libc.ts";
import { type AttachCommand, wantsServer, wantsWritePolicy } from "./attach_command.ts";
import { CommandError } from "../sys/command_error.ts";
import { resolveDevice } from "./device_names.ts";
import type { Transport } from "./transports.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";

/** A transport that makes devices, as opposed to `auto`: a daemon of ours serves them, or the kernel. */
export type UsedTransport = Exclude<Transport, "auto">;

/** A transport, and why it was taken, for whoever asks with `-v`. */
export interface ReasonedTransport<T extends UsedTransport = UsedTransport> {
  readonly transport: T;
  readonly why: string;
}

/** What came out of it. */
export interface TransportChoice extends ReasonedTransport {
  /** The format, found out if it was to be, or matters. */
  readonly format: string;
  /** What to take if it turns out that there can be no view. */
  readonly otherwise?: () => ReasonedTransport<ServedTransport>;
}

/**
 * The kernel's loop driver alone for raw images; for others that are only read a view, where there can
 * be one; else nbd where the kernel has it or can load it, or a FUSE file below a loop device.
 *
 * @throws {CommandError} if the loop driver was asked to read another format
 */
export async function chooseTransport(command: AttachCommand): Promise<TransportChoice> {
  const format = await formatOf(command);
  const { transport } = command;
  if (transport === "loop" && format !== RAW.name) throw notForLoop(command, format);
  if (transport !== "auto") return { transport, why: "it was asked for", format };
  return { ...automatic(command, format), format };
}

function automatic(command: AttachCommand, format: string): Omit<TransportChoice, "format"> {
  const { device } = command;
  if (device !== undefined && resolveDevice(device).kind === "nbd") {
    return { transport: "nbd", why: "an nbd device was named" };
  }
  if (format === RAW.name && command.overlay === undefined && !wantsWritePolicy(command)) {
    return { transport: "loop", why: "the loop driver itself reads RAW images" };
  }
  // Only the superuser makes devices; others are told what a server would need.
  if (wantsServer(command) || libc().geteuid() !== 0) return served();
  return {
    transport: "view",
    why: "the kernel itself can read the image, or most of it",
    otherwise: served,
  };
}

function served(): ReasonedTransport<ServedTransport> {
  if (!hasSysfs()) return { transport: "fuse", why: "nbd needs /sys, which is not mounted" };
  return canUseNbd()
    ? { transport: "nbd", why: "the kernel has it" }
    : { transport: "fuse", why: "the kernel has no nbd" };
}

/** Which it is only has to be known exactly where devices are compared, or where it is found out. */
async function formatOf(command: AttachCommand): Promise<string> {
  const { format = RAW.name, transport, noOverlap } = command;
  if (format === RAW.name) return format;
  if (format !== AUTO_FORMAT && transport !== "loop" && !noOverlap) return format;
  const { foundFormat } = await import("../disk/found_format.ts");
  return foundFormat(command.file, format);
}

function notForLoop({ file }: AttachCommand, format: string): CommandError {
  return new CommandError(
    `${file}: failed to set up loop device: transport 'loop' is for RAW images, and this is ${format}`,
  );
}
