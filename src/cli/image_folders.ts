/**
 * Folders that are images, where a command line names one.
 *
 * @module
 */
import { imageOfFolder } from "../disk/image_folder.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import { CommandError } from "../sys/command_error.ts";

/** A command that is about an image. */
interface WithImage {
  readonly kind: string;
  readonly file: string;
  /** Canonical name, or `auto`; undefined is RAW. */
  readonly format: string | undefined;
  readonly socketPath?: string | undefined;
}

/**
 * The command with the file that stands for a folder in place of it, and with its format in place of `auto`: what
 * cannot be understood there is a fault of the image, no RAW disk.
 *
 * @throws {CommandError} if the folder shall be attached as RAW, which it cannot be
 */
export function withFileOfFolder<C extends WithImage>(command: C): C {
  const { kind, file, format = RAW.name } = command;
  const image = imageOfFolder(file);
  if (image === undefined) return command;
  if (format === AUTO_FORMAT) return { ...command, file: image.path, format: image.format };
  if (format !== RAW.name) return { ...command, file: image.path };
  const look = `it is a ${image.format} image (see --file-fmt-type)`;
  const what = kind === "attach" ? `set up ${made(command)}` : "read image";
  throw new CommandError(`${file}: failed to ${what}: Is a directory: ${look}`);
}

function made({ socketPath }: WithImage): string {
  return socketPath === undefined ? "loop device" : "socket";
}
