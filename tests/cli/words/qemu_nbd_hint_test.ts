// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { parseCommand } from "../../../src/cli/words/command.ts";
import { qemuNbdHint } from "../../../src/cli/words/qemu_nbd_hint.ts";
import { QEMU_NBD_OPTIONS } from "../../../src/cli/words/qemu_nbd_options.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { FORMAT_NAMES } from "../../../src/image/formats.ts";
import { must, oracleTest } from "../../support/tools.ts";

/** What follows the refusal of a line, or what it is taken for. */
function hintOf(...args: string[]): string | undefined {
  try {
    return `taken for ${parseCommand(args, FORMAT_NAMES).kind}`;
  } catch (error) {
    if (error instanceof UsageError) return qemuNbdHint(args, error.unknownOption);
    throw error;
  }
}

/** Lines of qemu-nbd's, and ours. */
const TRANSLATIONS: readonly [theirs: string, ours: string][] = [
  ["-c /dev/nbd0 -f qcow2 a.img", "tslosetup -t QCOW /dev/nbd0 a.img"],
  ["-f qcow2 -c /dev/nbd0 a.img", "tslosetup -t QCOW /dev/nbd0 a.img"],
  ["-c/dev/nbd0 --format=vpc a.img", "tslosetup -t VHD /dev/nbd0 a.img"],
  ["-c /dev/nbd0 -r --format qcow a.img", "tslosetup -r -t QCOW1 /dev/nbd0 a.img"],
  ["-rc /dev/nbd0 a.img", "tslosetup -r -t auto /dev/nbd0 a.img"],
  ["a.img -r -c /dev/nbd0 -f raw", "tslosetup -r -t RAW /dev/nbd0 a.img"],
  ["-c /dev/nbd0 -ns --cache=none -f raw a.img", "tslosetup --overlay -t RAW /dev/nbd0 a.img"],
  ["-c /dev/nbd0 -t -P 2 -o 512 a.img", "tslosetup -P -o 512 -t auto /dev/nbd0 a.img"],
  ["-c /dev/nbd0 -l snapshot.name=old a.img", "tslosetup --snapshot old -t auto /dev/nbd0 a.img"],
  ["-k /tmp/s -t -e 4 --fork a.img", "tslosetup --socket /tmp/s -t auto a.img"],
  [
    "-t -k /tmp/s --discard=on -- -a.img",
    "tslosetup --socket /tmp/s --discard=unmap -t auto ./-a.img",
  ],
  [
    "-k /tmp/a;b --cache=directsync a",
    "tslosetup --socket '/tmp/a;b' --cache=writethrough -t auto a",
  ],
];

Deno.test("qemuNbdHint() writes a line of qemu-nbd's as one of ours", () => {
  for (const [theirs, ours] of TRANSLATIONS) {
    const spelling = theirs.includes("-k") ? "-k" : "-c";
    assertEquals(hintOf(...theirs.split(" ")), `for qemu-nbd's ${spelling}: ${ours}`, theirs);
  }
  assertEquals(
    hintOf("--connect=/dev/nbd0", "a b"),
    "for qemu-nbd's --connect: tslosetup -t auto /dev/nbd0 'a b'",
  );
});

/** What cannot be written in our words, or is a part of a line. */
const NOTES: readonly [line: string, note: string][] = [
  ["-c /dev/nbd0 -t QCOW a", "-c: tslosetup <device> <file>"],
  ["-c /dev/nbd0 -x disk a", "-x: there is one export here, whose name is empty"],
  ["-rs a", "-s: --overlay"],
  ["--snapshot a", "--snapshot: --overlay"],
  ["--cache=none -f a", "--cache=none: --direct-io, for RAW images"],
  ["--cache none -t QCOW -f a", "--cache=none: --direct-io, for RAW images"],
  ["--discard=off -f a", "--discard=off: --discard=ignore"],
  ["-fqcow2 a", "-f: -t <format>"],
  ["-b 127.0.0.1 a", "-b: only Unix sockets are served: --socket <path>"],
  ["-L", "-L: --list shows what is attached here, not what others export"],
  ["-D text a", "-D: exports have no description here"],
  ["-t a", "-t: a socket takes up to 512 clients, and stays until --detach"],
  [
    "--fork -f QCOW --show a",
    "--fork: it is not needed: the command ends as soon as the device or socket is there",
  ],
];

Deno.test("qemuNbdHint() says what stands for an option", () => {
  for (const [line, note] of NOTES) {
    assertEquals(hintOf(...line.split(" ")), `for qemu-nbd's ${note}`, line);
  }
});

Deno.test("qemuNbdHint() says what failed as no device may mean", () => {
  assertEquals(
    qemuNbdHint(["-c", "/dev/nbd0", "a"]),
    "for qemu-nbd's -c: tslosetup -t auto /dev/nbd0 a",
  );
  assertEquals(qemuNbdHint(["-l", "old", "a"]), "for qemu-nbd's -l: --snapshot <name>");
  const partitions = "for qemu-nbd's -P: -P without a number makes a device of each partition";
  assertEquals(qemuNbdHint(["-P", "1", "a"]), partitions);
});

const NONE = [
  "-D -l -d /nonexistent",
  "-l -o 0",
  "-y a",
  "--toString",
  "--cache never -t QCOW -f a",
  "-t WRONG -f a.img",
  "-t WRONG --show /dev/loop0 a",
  "-c -d",
  "-r -f a -d",
  "--socket /tmp/s -r",
];

Deno.test("qemuNbdHint() has no word for what is none of qemu-nbd's", () => {
  for (const line of NONE) assertEquals(hintOf(...line.split(" ")), undefined, line);
  const failing = [
    "-L -f nowhere",
    "-f QCOW a",
    "-r --socket /tmp/s -f qcow2 a",
    "-P /dev/loop0 a",
    "--list",
    "-d a",
  ];
  for (const line of failing) assertEquals(qemuNbdHint(line.split(" ")), undefined, line);
});

/** What means the same here, or is no more than looked over. */
const ALIKE = [
  ..."-c --socket -f --list -d -r --read-only -v --verbose -o --offset -n -l -P".split(" "),
  ..."--cache --discard --detect-zeroes --pid-file".split(" "),
];
/** What such options are given. */
const VALUES: Readonly<Record<string, string>> = {
  bind: "::1",
  cache: "writeback",
  discard: "unmap",
  "detect-zeroes": "on",
  format: "qcow2",
  partition: "1",
};

Deno.test("qemuNbdHint() has a word for each spelling that means something else", () => {
  for (const { short, long: [long], argument } of QEMU_NBD_OPTIONS) {
    const value = argument === "none" ? [] : [VALUES[long] ?? "1"];
    for (const spelling of [...(short === "" ? [] : [`-${short}`]), `--${long}`]) {
      if (ALIKE.includes(spelling)) continue;
      const file = spelling === "-L" ? [] : ["a.img"];
      const hint = hintOf(spelling, ...value, ...file);
      assert(hint?.startsWith("for qemu-nbd's "), `${spelling}: ${hint}`);
    }
  }
});

oracleTest("qemuNbdHint() knows all of qemu-nbd's options", ["qemu-nbd"], async () => {
  const help = await must("qemu-nbd", "--help");
  const theirs = [...help.matchAll(/^ {2}(?:-(\w), |\s*)--([\w-]+)/gm)];
  assert(theirs.length > 25);
  for (const [, short = "", long = ""] of theirs) {
    if (long === "help" || long === "version") continue;
    const option = QEMU_NBD_OPTIONS.find((candidate) => candidate.long[0] === long);
    assert(option !== undefined && (short === "" || option.short === short), `-${short} --${long}`);
  }
});
