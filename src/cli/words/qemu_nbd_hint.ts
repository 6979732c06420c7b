/**
 * What to tell whoever has typed a command line of qemu-nbd's.
 *
 * @module
 */
import { getopt, type OptionToken } from "./getopt.ts";
import {
  CONNECT,
  FORMAT,
  LIST,
  QEMU_NBD_OPTIONS,
  type QemuNbdOption,
  SOCKET,
} from "./qemu_nbd_options.ts";
import { shellPath, shellWord } from "./shell_word.ts";
import { UsageError } from "./usage_error.ts";

type Given = OptionToken<QemuNbdOption>;

/** A command line as qemu-nbd reads it. */
interface QemuNbdLine {
  readonly options: readonly Given[];
  readonly operands: readonly string[];
  /** Whether it takes all of it: otherwise, this is what stands before what it does not know. */
  readonly isWhole: boolean;
}

/**
 * What stands here for a line that was refused, or failed; undefined if it is none of qemu-nbd's.
 *
 * @param unknownOption what there is none of here, as {@link UsageError.unknownOption}
 * @example
 * ```ts
 * qemuNbdHint(["-rc", "/dev/nbd0", "-f", "qcow2", "a.img"]);
 * // "for qemu-nbd's -c: tslosetup -r -t QCOW /dev/nbd0 a.img"
 * ```
 */
export function qemuNbdHint(args: readonly string[], unknownOption?: string): string | undefined {
  const line = readLine(args);
  return translation(line) ?? noteOfUnknown(unknownOption) ?? noteOfForeign(line) ??
    (unknownOption === undefined ? undefined : noteOfFormat(line));
}

function readLine(args: readonly string[]): QemuNbdLine {
  const options: Given[] = [];
  const operands: string[] = [];
  try {
    for (const token of getopt(args, QEMU_NBD_OPTIONS)) {
      if (token.kind === "operand") operands.push(token.word);
      else if (isAccepted(token)) options.push(token);
      else return { options, operands, isWhole: false };
    }
  } catch (error) {
    if (error instanceof UsageError) return { options, operands, isWhole: false };
    throw error;
  }
  return { options, operands, isWhole: true };
}

/** What looks like an option is none's value: `-l -o 0` asks for a list. */
function isAccepted({ option, value = "" }: Given): boolean {
  return !value.startsWith("-") && (option.accepts?.test(value) ?? true);
}

/** The whole line in our words, if it says where the image shall be, in a word that is not ours. */
function translation({ options, operands, isWhole }: QemuNbdLine): string | undefined {
  const [file, ...excess] = operands;
  const where = options.find(({ option, spelling }) =>
    option === CONNECT || (option === SOCKET && spelling === "-k")
  );
  if (!isWhole || where === undefined || file === undefined || excess.length > 0) return undefined;
  const device = options.find(({ option }) => option === CONNECT);
  const words = options.filter((given) => given !== device).map(wordsOf);
  if (!words.every((some) => some !== undefined)) return undefined;
  const looks = options.some(({ option }) => option === FORMAT) ? [] : ["-t", "auto"];
  const all = [...words.flat(), ...looks, ...(device === undefined ? [] : [device.value ?? ""])];
  return `${heading(where.spelling)}${
    ["tslosetup", ...all.map(shellWord), shellPath(file)].join(" ")
  }`;
}

function wordsOf({ option, value = "" }: Given): readonly string[] | undefined {
  return option.words?.(value);
}

function heading(spelling: string): string {
  return `for qemu-nbd's ${spelling}: `;
}

/** @param spelling `-k`, `--fork` or `--cache=none` */
function noteOfUnknown(spelling: string | undefined): string | undefined {
  if (spelling === undefined) return undefined;
  const [name = "", value = ""] = spelling.split("=");
  const option = QEMU_NBD_OPTIONS.find(({ short, long: [long] }) =>
    name === `--${long}` || name === `-${short}`
  );
  return option === undefined ? undefined : noteOf(option, { spelling, value });
}

/** What a line that is qemu-nbd's means by an option that is ours, too. */
function noteOfForeign({ options, operands, isWhole }: QemuNbdLine): string | undefined {
  const has = (wanted: QemuNbdOption): boolean => options.some(({ option }) => option === wanted);
  // A list is of a server, whose images have a format already.
  const isComplete = isWhole &&
    (has(LIST) ? operands.length === 0 && !has(FORMAT) : operands.length === 1);
  const given = options.find(({ option, spelling }) =>
    option.foreign === spelling && (isComplete || (option === CONNECT && operands.length > 0))
  );
  return given === undefined ? undefined : noteOf(given.option, given);
}

/** `-fqcow2` is no `-f` of ours. */
function noteOfFormat({ options, isWhole }: QemuNbdLine): string | undefined {
  const given = isWhole ? options.find(({ option }) => option === FORMAT) : undefined;
  return given === undefined ? undefined : noteOf(FORMAT, given);
}

function noteOf(
  { note }: QemuNbdOption,
  { spelling, value = "" }: { readonly spelling: string; readonly value?: string | undefined },
): string | undefined {
  const text = typeof note === "object" ? ownText(note, value) : note;
  return text === undefined ? undefined : heading(spelling) + text;
}

function ownText(notes: Readonly<Record<string, string>>, value: string): string | undefined {
  return Object.hasOwn(notes, value) ? notes[value] : undefined;
}
