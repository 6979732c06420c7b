/**
 * `--info`: what an image, and the images below it, say of themselves.
 *
 * @module
 */
import { ImageInUseError } from "../disk/lock.ts";
import { inspect, type Inspection } from "../disk/inspect.ts";
import { reasonOf } from "../sys/reason.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain, print } from "../sys/console.ts";
import { absolutePath } from "../device/device_names.ts";
import { type ImageCommand, imageRequest } from "./words/image_command.ts";
import { infoJson } from "./info_json.ts";
import { infoText } from "./info_text.ts";
import { withRealPaths } from "./real_paths.ts";

/**
 * Prints everything that can be found out. What is named but cannot be looked into is complained
 * about, and the exit code tells of it.
 *
 * @throws {CommandError} if the image itself cannot be looked into
 */
export function info(command: ImageCommand): number {
  const { images, problems, hint } = inspection(command);
  const described = images.map((image, depth) => ({
    ...image,
    path: depth === 0 ? command.file : image.path,
  }));
  print(command.json ? infoJson(described) : infoText(described));
  if (hint !== undefined) complain(`${command.file}: ${hint}`);
  for (const problem of problems) complain(problem);
  return problems.length > 0 ? 1 : 0;
}

function inspection(command: ImageCommand): Inspection {
  return lookInto(command, () => {
    const options = { request: withRealPaths(imageRequest(command)), ignoreLocks: command.force };
    return inspect(absolutePath(command.file), options);
  });
}

/** Says what could not be looked into, and why. */
export function lookInto<T>({ file, repair }: ImageCommand, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (repair !== "none") {
      throw new CommandError(`${file}: failed to repair image: ${reasonOf(error)}`);
    }
    const hint = error instanceof ImageInUseError ? "; --force looks at it all the same" : "";
    throw new CommandError(`${file}: failed to read image: ${reasonOf(error)}${hint}`);
  }
}
