/**
 * Which transport makes the device, where the user leaves it open.
 *
 * @module
 */
import { openImageFile } from "../disk/open.ts";
import { probeFormat } from "../disk/probe.ts";
import { canUseNbd } from "../kernel/modules.ts";
import type { AttachCommand } from "../cli/words/command.ts";
import { CommandError } from "../sys/command_error.ts";
import { resolveDevice } from "./device_names.ts";
import { AUTO_FORMAT, RAW_FORMAT, type Transport } from "../cli/words/values.ts";

/** A transport that makes devices, as opposed to `auto`. */
export type UsedTransport = Exclude<Transport, "auto">;

/** What came out of it. */
export interface TransportChoice {
  readonly transport: UsedTransport;
  /** For whoever asks with `-v`. */
  readonly why: string;
  /** The format, found out if it was to be. */
  readonly format: string;
}

/**
 * The kernel's loop driver alone for raw images; for others nbd where the kernel has it or can load it,
 * else a FUSE file below a loop device.
 *
 * @throws {CommandError} if the loop driver was asked to read another format
 */
export function chooseTransport(command: AttachCommand): TransportChoice {
  const format = formatOf(command);
  const { transport } = command;
  if (transport === "loop" && format !== RAW_FORMAT) throw notForLoop(command, format);
  if (transport !== "auto") return { transport, why: "it was asked for", format };
  return { ...automatic(command, format), format };
}

function automatic(
  { device }: AttachCommand,
  format: string,
): Pick<TransportChoice, "transport" | "why"> {
  if (device !== undefined && resolveDevice(device).kind === "nbd") {
    return { transport: "nbd", why: "an nbd device was named" };
  }
  if (format === RAW_FORMAT) {
    return { transport: "loop", why: "the loop driver itself reads RAW images" };
  }
  return canUseNbd()
    ? { transport: "nbd", why: "the kernel has it" }
    : { transport: "fuse", why: "the kernel has no nbd" };
}

function formatOf({ format = RAW_FORMAT, file }: AttachCommand): string {
  return format === AUTO_FORMAT ? probed(file) : format;
}

/** What cannot be read counts as RAW: attaching it will say what is wrong. */
function probed(path: string): string {
  try {
    using file = openImageFile(path, { readOnly: true }).file;
    return probeFormat(file) ?? RAW_FORMAT;
  } catch (error) {
    if (error instanceof Error) return RAW_FORMAT;
    throw error;
  }
}

function notForLoop({ file }: AttachCommand, format: string): CommandError {
  return new CommandError(
    `${file}: failed to set up loop device: transport 'loop' is for RAW images, and this is ${format}`,
  );
}
