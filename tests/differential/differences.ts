/**
 * Where tslosetup deliberately differs from losetup 2.38.1, and why.
 *
 * Not in the table, for it would detach devices of others: `-D` with operands, which losetup overlooks,
 * is refused, because whoever types `losetup -D /dev/loop3` does not mean all devices. Nor what needs a
 * second program (tests/device/loop): beside a program that counts on nobody writing an image, by qemu's
 * locks, it is attached with `-r` only, and what is attached is locked for such programs; `-P` warns where
 * a partition table is there and no partitions come of it, and where neither it nor `-b` is given, a
 * warning tells of a table that is made for sectors of another size than 512 bytes.
 *
 * @module
 */
import { type Row, rows } from "./row.ts";
import type { Outcome } from "./stage.ts";

/** A row that is answered differently. */
export interface Difference extends Row {
  readonly reason: string;
  /** What tslosetup does instead, as far as it differs; words as in {@link Row.line}. */
  readonly instead: Partial<Omit<Outcome, "loops">>;
  /** Which of the devices are attached afterwards, where that differs. */
  readonly attached?: readonly string[];
}

const SETUP_ONLY =
  "PROGRAM: the options --{sizelimit,partscan,read-only,show} are allowed during loop device setup only\n";
const NO_DEVICE = "failed to use device: No such device";
const TWO = ["losetup {dev} disk", "losetup {dev2} other"];
const SUCCESS = { code: 0, stdout: "", stderr: "" };

const LATER_GRAMMAR =
  "losetup 2.42 takes names in /dev, and -c and -d without an argument of their own";

export const DIFFERENCES: readonly Difference[] = [
  {
    line: "-c -r {dev}",
    reason: LATER_GRAMMAR,
    instead: { code: 1, stdout: "", stderr: SETUP_ONLY },
  },
  ...rows(["-r disk", "--show disk", "-P disk"]).map((row) => ({
    ...row,
    reason: "that nothing is set up is noticed before the device is looked at",
    instead: { code: 1, stdout: "", stderr: SETUP_ONLY },
  })),
  ...rows(["-d {name}", "-c {name}", "-b 512 {name}", "--direct-io=off {name}"], {
    before: ["losetup {dev} disk"],
  }).map((row) => ({ ...row, reason: LATER_GRAMMAR, instead: SUCCESS })),
  {
    line: "-d {dev} -d {dev2}",
    before: TWO,
    reason: "every device that is named is detached, where 2.38.1 forgets all but the last -d",
    instead: SUCCESS,
    attached: [],
  },
  {
    line: "-d nowhere {dev}",
    before: TWO,
    reason: "a name that is wrong does not keep the others from being detached (as in 2.42)",
    instead: { code: 1, stderr: `PROGRAM: nowhere: ${NO_DEVICE}\n` },
    attached: ["{dev2}"],
  },
  {
    line: "-d {dev} /dev/null {dev2}",
    before: TWO,
    reason: "behind a name that is wrong, 2.38.1 detaches the device before it once more",
    instead: { code: 1, stderr: `PROGRAM: /dev/null: ${NO_DEVICE}\n` },
    attached: [],
  },
  {
    line: "-d {dev} -O NAME",
    before: ["losetup {dev} disk"],
    reason: "nothing is listed where a device is detached (2.38.1 means to refuse it, 2.42 does)",
    instead: {
      code: 1,
      stderr: "PROGRAM: mutually exclusive arguments: --detach-all --output --set-capacity " +
        "--detach --find\n",
    },
    attached: ["{dev}"],
  },
  {
    line: "-n -O NAME {name}",
    before: ["losetup {dev} disk"],
    reason: LATER_GRAMMAR,
    instead: { code: 0, stdout: "/dev/loop240\n", stderr: "" },
  },
  ...["''", "+", "NAME,,RO"].map((list) => ({
    line: `-O ${list} {dev}`,
    before: ["losetup {dev} disk"],
    reason: "losetup fails without a word",
    instead: { stderr: `PROGRAM: unknown column: ${list === "NAME,,RO" ? ",RO" : ""}\n` },
  })),
  {
    line: "-nO BACK-FILE {dev}",
    before: ["losetup {dev} turned\u202egmi"],
    reason: "a name that turns the direction of text would look like another one",
    instead: { stdout: "{dir}/turned\\xe2\\x80\\xaegmi\n" },
  },
  {
    line: "-v {dev} disk",
    reason: "-v, which 2.38.1 overlooks and 2.42 does not know, says which transport is taken",
    instead: {
      code: 0,
      stderr: "PROGRAM: transport loop: the loop driver itself reads RAW images\n",
    },
  },
  {
    line: "-k socket disk",
    reason: "an option that is qemu-nbd's: what stands for it here is said",
    instead: {
      code: 1,
      stderr: "PROGRAM: invalid option -- 'k'; for qemu-nbd's -k: tslosetup --socket " +
        "socket -t auto disk\n",
    },
  },
  {
    line: "container",
    reason: "an image alone is the likeliest slip: what to type is said",
    instead: {
      stderr: `PROGRAM: container: ${NO_DEVICE}; ` +
        "to attach the image: tslosetup -r --find --show -t QCOW container\n",
    },
  },
  {
    line: "{dev} container",
    reason: "what looks like a container, but is attached as RAW by default, deserves a hint",
    instead: {
      stderr: "PROGRAM: container: warning: it begins like a QCOW image but is attached as RAW " +
        "(see --file-fmt-type)\n",
    },
  },
  ...rows(["-f RAW {dev} disk", "-f auto disk"]).map((row) => ({
    ...row,
    reason: "behind -f, the name of a format may come before the operands",
    instead: SUCCESS,
  })),
  ...rows(["-t RAW {dev} disk", "--transport loop {dev} disk"]).map((row) => ({
    ...row,
    reason: "an option of tslosetup",
    instead: SUCCESS,
  })),
  {
    line: "-r -f fifo",
    losetupHangs: true,
    reason: "losetup waits for ever for somebody to write into the pipe",
    instead: {
      code: 1,
      stdout: "",
      stderr: "PROGRAM: fifo: failed to set up loop device: Invalid argument\n",
    },
  },
];
