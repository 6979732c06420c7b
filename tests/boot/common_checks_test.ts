/**
 * What the shell functions of an initramfs see in the kernel command line before they mount or attach
 * anything, and what they take back.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { getopt } from "../../src/cli/words/getopt.ts";
import { OPTIONS } from "../../src/cli/words/option_table.ts";
import { oracleTest, type Output, run } from "../support/tools.ts";

const COMMON = new URL("../../src/boot/common.sh", import.meta.url).pathname;
const SHELLS = [["sh"], ["busybox", "sh"], ["bash"]] as const;

/** What the words say of a disk that is the image, of a file on one, and what is wrong with it. */
const IMPOSSIBLE = [
  ["/dev/vda", "overlay", "mine.qcow2", "tslosetup.image=/dev/vda is a disk"],
  ["UUID=1", "overlay", "/x", "tslosetup.image=UUID=1 is a disk"],
  ["/dev/vda", "program", "/x", "tslosetup.image=/dev/vda is a disk"],
  ["9p:a:/b", "program", "x", "not a path from / on"],
  ["9p:a:/b", "program", "/../x", "not a file on what the image lies on"],
  ["9p:a:/b", "overlay", "../x", "not a file on what the image lies on"],
  ["9p:a:/b", "overlay", "/c/..", "not a file on what the image lies on"],
  ["9p:a:/b", "overlay", "c/", "not a file on what the image lies on"],
  ...["abc", "0", "-1", "01", "1p", "1 2"].map((partition) =>
    ["/dev/vda", "partition", partition, "not the number of a partition"] as const
  ),
] as const;

const POSSIBLE = [
  ["/dev/vda", "overlay", "ram"],
  ["/dev/vda", "partition", "12"],
  ["9p:a:/b", "overlay", "c.qcow2"],
  ["9p:a:/b", "overlay", "/c/d.qcow2"],
  ["9p:a:/b", "program", "/c"],
] as const;

/** Words with -r or without, for the program's own reading. */
const READ_ONLY_OPTIONS = [
  ...["-r", "-Pr", "-vrP", "-ro 512", "-P -r", "-Por 512", "-b512 -r"],
  ...["--rea", "--read", "--read-", "--read-o", "--read-on", "--read-onl"],
  ...["--read-only", "--threads 2 --read-only", "-P", "--partscan", "-o 512", "-orr", "-btr"],
  ...["-tr", "--parent=r", "--threads 2", "--repair=leaks", "-jr", "-dr", "-cr", "-Or"],
] as const;

/** Whether the program itself reads -r out of the words. */
function isReadOnly(words: string): boolean {
  const tokens = [...getopt(words.split(" "), OPTIONS)];
  return tokens.some((token) => token.kind === "option" && token.option.long[0] === "read-only");
}

for (const shell of SHELLS) {
  const check = async (image: string, word: string, value: string): Promise<Output> => {
    const script = `. ${COMMON}; tslosetup_open_folder() { echo goes on; exit; }
      tslosetup_read_words "$1"; tslosetup_boot`;
    const line = `tslosetup.image=${image} "tslosetup.${word}=${value}"`;
    return await run("env", ...shell, "-uc", script, "sh", line);
  };

  oracleTest(`${shell.join(" ")} refuses what cannot be before it mounts`, [shell[0]], async () => {
    for (const [image, word, value, reason] of IMPOSSIBLE) {
      const { code, stdout, stderr } = await check(image, word, value);
      assertEquals([code, stdout], [1, ""], value);
      assertStringIncludes(stderr, reason);
      assertStringIncludes(stderr, `tslosetup.${word}=${value}`);
    }
    for (const [image, word, value] of POSSIBLE) {
      assertEquals((await check(image, word, value)).stdout, "goes on\n", value);
    }
  });

  oracleTest(`${shell.join(" ")} sees -r as the program does`, [shell[0]], async () => {
    const print =
      'for each; do tslosetup_asks_read_only "$each" && echo "$each: yes" || echo "$each: no"; done';
    const got = await run(
      "env",
      ...shell,
      "-uc",
      `. ${COMMON}; ${print}`,
      "sh",
      ...READ_ONLY_OPTIONS,
    );
    const expected = READ_ONLY_OPTIONS.map((words) =>
      `${words}: ${isReadOnly(words) ? "yes" : "no"}`
    );
    assertEquals(got.stdout.trim().split("\n"), expected);
  });

  oracleTest(`${shell.join(" ")} keeps no device without root`, [shell[0]], async () => {
    const script = `. ${COMMON}; file=/x TSLOSETUP_DEVICES=/dev/full
      modprobe() { :; }
      tslosetup_run() { [ "$1" = --find ] && echo /dev/nbd0 || echo "$@" >&2; }
      tslosetup_wait_for() { tslosetup_fail "there is no $1"; }
      tslosetup_read_words "$1"; tslosetup_attach`;
    const line = "tslosetup.image=/dev/vda tslosetup.partition=7";
    const { code, stderr } = await run("env", ...shell, "-uc", script, "sh", line);
    assertEquals([code, stderr], [1, "tslosetup: there is no /dev/nbd0p7\n--detach /dev/nbd0\n"]);
  });
}
