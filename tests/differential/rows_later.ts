/**
 * What losetup has learned since 2.38.1, checked against the words of its manual page (2.42).
 *
 * @module
 */
import type { Row } from "./row.ts";
import type { LoopState, Outcome } from "./stage.ts";

/** A row that the installed losetup cannot answer. */
export interface LaterRow extends Row {
  /** The manual's words. */
  readonly words: string;
  readonly expected: Omit<Outcome, "loops">;
  /** What the first device is like afterwards; undefined if none is attached. */
  readonly loop?: Partial<LoopState>;
}

const SUCCESS = { code: 0, stdout: "", stderr: "" };
const WHOLE = ["losetup {dev} disk"];
const UNUSED = ["losetup {dev} disk", "losetup -d {dev}"];

const REMOVE = "--remove loopdev...: remove one or more loop devices (the device nodes)";
const REFERENCE =
  "--loop-ref string: set reference string. The backwardly compatible default is to " +
  "use the backing filename as a reference in loop setup ioctl (aka lo_file_name).";
const COLUMNS = "-O, --output columns: see --help; --output-all: output all available columns.";
const CAPACITY = "-c, --set-capacity loopdev";
const DETACH = "-d, --detach loopdev...";

function failure(message: string): LaterRow["expected"] {
  return { code: 1, stdout: "", stderr: `PROGRAM: ${message}\n` };
}

export const LATER_ROWS: readonly LaterRow[] = [
  { line: "--remove {dev}", before: UNUSED, words: REMOVE, expected: SUCCESS },
  { line: "--remove {name}", before: UNUSED, words: REMOVE, expected: SUCCESS },
  { line: "--rem {dev}", before: UNUSED, words: REMOVE, expected: SUCCESS },
  {
    line: "--remove {dev} {dev2}",
    before: [...UNUSED, "losetup {dev2} disk", "losetup -d {dev2}"],
    words: REMOVE,
    expected: SUCCESS,
  },
  {
    line: "--remove {dev}",
    before: WHOLE,
    words: REMOVE,
    expected: failure("/dev/loop240: remove failed: Device or resource busy"),
    loop: { backing: "disk" },
  },
  {
    line: "--remove {dev2} {dev}",
    before: UNUSED,
    words: REMOVE,
    expected: failure("/dev/loop241: remove failed: No such device"),
  },
  {
    line: "--remove disk",
    words: REMOVE,
    expected: failure("/dev/disk: remove failed: Invalid argument"),
  },
  { line: "--remove", words: REMOVE, expected: failure("no loop device specified") },
  {
    line: "--remove -f disk",
    words: REMOVE,
    expected: failure(
      "mutually exclusive arguments: --detach-all --all --set-capacity --detach --find --associated --remove",
    ),
  },
  {
    line: "--remove -r {dev}",
    before: UNUSED,
    words: REMOVE,
    expected: failure(
      "the options --{sizelimit,partscan,read-only,show} are allowed during loop device setup only",
    ),
  },
  {
    line: "--loop-ref mine {dev} disk",
    words: REFERENCE,
    expected: SUCCESS,
    loop: { reference: "mine", backing: "disk" },
  },
  {
    line: "--loop-ref=mine -f --show disk",
    words: REFERENCE,
    expected: { ...SUCCESS, stdout: "/dev/loopFREE\n" },
    loop: { reference: "mine" },
  },
  {
    line: `--loop-ref ${"x".repeat(64)} {dev} disk`,
    words: REFERENCE,
    expected: SUCCESS,
    loop: { reference: "x".repeat(63) },
  },
  {
    line: "--loop-ref",
    words: REFERENCE,
    expected: {
      code: 1,
      stdout: "",
      stderr: "PROGRAM: option '--loop-ref' requires an argument\n" +
        "Try 'PROGRAM --help' for more information.\n",
    },
  },
  {
    line: "-O MAJ,MIN {dev}",
    before: WHOLE,
    words: COLUMNS,
    expected: { ...SUCCESS, stdout: "MAJ MIN\n  7 240\n" },
    loop: {},
  },
  {
    line: "-J -O MAJ,MIN {dev}",
    before: WHOLE,
    words: COLUMNS,
    expected: {
      ...SUCCESS,
      stdout: '{\n   "loopdevices": [\n      {\n         "maj": 7,\n         "min": 240\n' +
        "      }\n   ]\n}\n",
    },
    loop: {},
  },
  {
    line: "-n -O MAJ,MIN,REF,BACK-MAJ,BACK-MIN {dev}",
    before: UNUSED,
    words: COLUMNS,
    expected: { ...SUCCESS, stdout: "  7 240              \n" },
  },
  {
    line: "--output-all --raw -n -j nowhere",
    words: COLUMNS,
    expected: SUCCESS,
  },
  { line: "{dev} -d", before: WHOLE, words: DETACH, expected: SUCCESS },
  { line: "{name} --detach", before: WHOLE, words: DETACH, expected: SUCCESS },
  {
    line: "-d -- {dev} {dev2}",
    before: ["losetup {dev} disk", "losetup {dev2} disk"],
    words: DETACH,
    expected: SUCCESS,
  },
  {
    line: "{dev} -c",
    before: ["losetup {dev} disk", "truncate -s 3M disk"],
    words: CAPACITY,
    expected: SUCCESS,
    loop: { sectors: "6144" },
  },
];
