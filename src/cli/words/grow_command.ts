/**
 * The command that makes a disk larger:
 *
 *     tslosetup --resize SIZE FILE|DEVICE|SOCKET
 *     tslosetup --resize +SIZE FILE|DEVICE|SOCKET
 *
 * @module
 */
import type { NewSize } from "../../disk/new_size.ts";
import type { ImageRequest } from "../../disk/request.ts";
import { AUTO_FORMAT } from "../../image/formats.ts";
import { onlyFile } from "./attach_command.ts";
import { mutuallyExclusive } from "./exclusive.ts";
import type { OptionName } from "./option_table.ts";
import type { Settings } from "./settings.ts";

export interface GrowCommand {
  readonly kind: "grow";
  /** An image file, or what is attached, as given. */
  readonly target: string;
  readonly size: NewSize;
  /** How the image is to be opened. */
  readonly request: ImageRequest;
  /** Path as given; `-` is standard input. */
  readonly keyFile: string | undefined;
}

/** Options that mean something here. */
const ALLOWED: readonly OptionName[] = [
  "resize",
  "file-fmt-type",
  "backing-fmt",
  "allow-backing",
  "key-file",
];

/** @throws {UsageError} unless there is one operand, and no option for something else */
export function growCommand(size: NewSize, settings: Settings): GrowCommand {
  const { seen, operands, backingFormat, format, allowBacking, keyFile } = settings;
  const senseless = [...seen].find((name) => !ALLOWED.includes(name));
  if (senseless !== undefined) throw mutuallyExclusive(["--resize", `--${senseless}`]);
  return {
    kind: "grow",
    target: onlyFile(operands.map(({ word }) => word)),
    size,
    request: {
      format: format ?? AUTO_FORMAT,
      readOnly: false,
      offsetBytes: 0,
      sizeLimitBytes: 0,
      allowBacking,
      ...(backingFormat === undefined ? {} : { backingFormat }),
    },
    keyFile,
  };
}
