/**
 * The words by which mount(8) calls a helper ("EXTERNAL HELPERS"):
 *
 *     mount.tslosetup IMAGE FOLDER [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t tslosetup[.TYPE]]
 *
 * @module
 */
import type { AttachCommand } from "../../device/attach_command.ts";
import { parseCommand } from "./command.ts";
import { getopt } from "./getopt.ts";
import { formatWords, type ListedOption, listedOptions, ownWord } from "./option_list.ts";
import { UsageError } from "./usage_error.ts";
import type { FormatNames } from "./values.ts";

/** What is to be mounted, and where. */
export interface MountCommand {
  /** Attaches the image. */
  readonly attach: AttachCommand;
  readonly folder: string;
  readonly partition: number | undefined;
  /** Type of the file system, undefined if mount(8) is to find it out. */
  readonly fileSystem: string | undefined;
  /** For the file system, and for mount(8). */
  readonly options: string;
  /** Words that go on to mount(8) as they are. */
  readonly flags: readonly string[];
  readonly isRemount: boolean;
  /** Whether it is all right if there is no image: `nofail`. */
  readonly mayFail: boolean;
  /** Whether nothing is to be done. */
  readonly isFake: boolean;
  readonly verbose: boolean;
}

/** mount(8) has the same names for them. */
const HELPER_OPTIONS = [
  { long: ["sloppy"], short: "s", argument: "none" },
  { long: ["fake"], short: "f", argument: "none" },
  { long: ["no-mtab"], short: "n", argument: "none" },
  { long: ["verbose"], short: "v", argument: "none" },
  { long: ["namespace"], short: "N", argument: "required" },
  { long: ["options"], short: "o", argument: "required" },
  { long: ["types"], short: "t", argument: "required" },
] as const;

const NOT_PASSED: readonly string[] = ["fake", "options", "types"];
/** mount(8) would make one more device of the device. */
const LOOP = "loop";

/** An image, and the part of it, for which there is another source. */
export type MountedImage = Pick<
  AttachCommand,
  "file" | "offsetBytes" | "sizeLimitBytes" | "passedOver"
>;

/** What is known of the words besides. */
export interface MountContext {
  readonly formats: FormatNames;
  /** What a source stands for; undefined if it is the image itself. */
  readonly imageBelow: (source: string) => MountedImage | undefined;
}

/** @throws {UsageError} if they cannot be understood */
export function mountCommand(
  args: readonly string[],
  { formats, imageBelow }: MountContext,
): MountCommand {
  const { operands, values, flags } = readWords(args);
  const [source, folder, ...excess] = operands;
  if (source === undefined || folder === undefined || excess.length > 0) {
    throw new UsageError("mount.tslosetup takes an image and a folder");
  }
  const listed = listedOptions(values.get("options")?.join(",") ?? "");
  const partition = partitionOf(listed);
  const rest = listed.filter((option) => isForeign(option));
  const image = imageBelow(source) ?? { file: source };
  const context = { formats, hasPartition: partition !== undefined };
  return {
    attach: { ...attachFor(image.file, listed, context), ...image },
    folder,
    partition,
    fileSystem: values.get("types")?.at(-1)?.split(".").slice(1).join(".") || undefined,
    options: rest.map(({ text }) => text).join(","),
    flags,
    isRemount: rest.some(({ name }) => name === "remount"),
    mayFail: rest.some(({ name }) => name === "nofail"),
    isFake: values.has("fake"),
    verbose: values.has("verbose"),
  };
}

interface Words {
  readonly operands: readonly string[];
  /** What was given, by its long name. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly flags: readonly string[];
}

function readWords(args: readonly string[]): Words {
  const operands: string[] = [];
  const flags: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of getopt(args, HELPER_OPTIONS)) {
    if (token.kind === "operand") {
      operands.push(token.word);
      continue;
    }
    const { option, value } = token;
    const [name] = option.long;
    const given = value === undefined ? [] : [value];
    values.set(name, [...values.get(name) ?? [], ...given]);
    if (!NOT_PASSED.includes(name)) flags.push(`-${option.short}`, ...given);
  }
  return { operands, values, flags };
}

function isForeign(option: ListedOption): boolean {
  return ownWord(option) === undefined && option.name !== "partition" && option.name !== LOOP;
}

function partitionOf(options: readonly ListedOption[]): number | undefined {
  const given = options.findLast(({ name }) => name === "partition");
  if (given === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(given.value ?? "")) return Number(given.value);
  throw new UsageError(`invalid number of a partition: '${given.value ?? ""}'`);
}

interface AttachContext {
  readonly formats: FormatNames;
  readonly hasPartition: boolean;
}

function attachFor(
  file: string,
  options: readonly ListedOption[],
  { formats, hasPartition }: AttachContext,
): AttachCommand {
  const access = options.findLast(({ name }) => name === "ro" || name === "rw");
  const hasOverlay = options.some(({ name }) => name === "overlay");
  const words = [
    ...options.map((option) => ownWord(option)).filter((word) => word !== undefined),
    ...formatWords(options, file, formats),
    // What is written to an overlay leaves the image alone.
    ...(access?.name === "ro" && !hasOverlay ? ["--read-only"] : []),
    ...(hasPartition ? ["--partscan"] : []),
  ];
  const command = parseCommand([...words, "--find", "--", file], formats);
  if (command.kind !== "attach") throw new UsageError("no image to mount");
  return command;
}
