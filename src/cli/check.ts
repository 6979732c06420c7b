/**
 * `--check`: what is wrong with the metadata of an image.
 *
 * @module
 */
import { checkImage } from "../disk/check_image.ts";
import type { CheckResult } from "../image/checking.ts";
import { absolutePath } from "../device/device_names.ts";
import { complain, print } from "../sys/console.ts";
import { checkJson, checkText } from "./check_texts.ts";
import { lookInto } from "./info.ts";
import { ProgressLine } from "../device/progress_line.ts";
import { type ImageCommand, imageRequest } from "./words/image_command.ts";

/** Exit codes, which are those of `qemu-img check`; whatever keeps it from checking is a 1. */
const Exit = { clean: 0, corrupt: 2, leaks: 3, notSupported: 63 } as const;

/**
 * Prints what is found, and on standard error each fault as it is found.
 *
 * @returns the exit code
 * @throws {CommandError} if the image cannot be checked
 */
export function check(command: ImageCommand): number {
  const { file, json, repair } = command;
  using progress = new ProgressLine();
  const options = {
    repair,
    report: (line: string): void => progress.printAbove(line),
    progress: (part: number): void => progress.show(part),
  };
  const writes = repair !== "none";
  const wanted = { request: imageRequest(command), ignoreLocks: command.force, writes };
  const { format, result } = lookInto(
    command,
    () => checkImage(absolutePath(file), wanted, options),
  );
  progress.clear();
  if (result === undefined) {
    complain(`${file}: images of the format ${format} cannot be checked`);
    return Exit.notSupported;
  }
  print(json ? checkJson(file, format, result) : checkText(result));
  return exitCode(result);
}

function exitCode({ corruptions, leaks }: CheckResult): number {
  if (corruptions > 0) return Exit.corrupt;
  return leaks > 0 ? Exit.leaks : Exit.clean;
}
