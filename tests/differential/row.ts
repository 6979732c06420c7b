/**
 * Command lines that losetup and tslosetup have to answer alike.
 *
 * A line's words stand for themselves, but for these:
 *
 *     {dev} {dev2} {dev3}      loop devices that nobody else uses: /dev/loop240 …
 *     {name}                   the first of them without its folder
 *     {blk}                    a loop device attached to the file `block`: a block device of 2 MiB
 *     {dir}                    the absolute path of the working folder
 *
 * The working folder holds the files of {@link FILES}, and both programs run in it.
 *
 * @module
 */

export interface Row {
  /** What comes behind the program's name. */
  readonly line: string;
  /** What goes before: command lines with their program, of which losetup is the stock one. */
  readonly before?: readonly string[];
  /** A device that is held open while the command runs. */
  readonly held?: string;
  /** The stock tool never ends by itself. */
  readonly losetupHangs?: true;
}

/** Rows that share their preparation. */
export function rows(lines: readonly string[], shared: Omit<Row, "line"> = {}): Row[] {
  return lines.map((line) => ({ line, ...shared }));
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Files of the working folder by name, with their sizes. */
export const FILES: Readonly<Record<string, number>> = {
  disk: MIB,
  other: MIB,
  odd: 5000,
  tiny: 100,
  empty: 0,
  sector: 512,
  block: 2 * MIB,
  "with space": MIB,
  "turned\u202egmi": MIB,
};

/** Further things in it, made by these commands. */
export const THINGS: readonly (readonly string[])[] = [
  ["ln", "-s", "disk", "link"],
  ["ln", "-s", "nowhere", "dangling"],
  ["ln", "disk", "hard"],
  ["mkdir", "folder"],
  ["mkfifo", "fifo"],
  ["sh", "-c", "printf 'QFI\\373\\0\\0\\0\\003' >container && truncate -s 64K container"],
  ["cp", "disk", "parts"],
  ["sh", "-c", "printf 'label: dos\\n64,256\\n512,\\n' | sfdisk --quiet parts"],
];
