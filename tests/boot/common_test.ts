/**
 * The shell functions of an initramfs, in the shells that one may have.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, oracleTest, run } from "../support/tools.ts";

const BOOT = new URL("../../src/boot/", import.meta.url).pathname;
const SHELLS = [["sh"], ["busybox", "sh"], ["bash"]] as const;

/** Runs lines after common.sh has been read. */
async function inShell(
  shell: readonly string[],
  lines: string,
  ...args: string[]
): Promise<string> {
  const [program = "", ...words] = [...shell, "-euc", `. ${BOOT}common.sh; ${lines}`, "sh"];
  return await must(program, ...words, ...args);
}

const WORDS = [
  ["tslosetup.image=/dev/vda", "/dev/vda|QCOW|||||"],
  ["quiet  tslosetup.image=a:/b ro ", "a:/b|QCOW|||||"],
  ["tslosetup.image=a tslosetup.image=b", "b|QCOW|||||"],
  ["tslosetup.image=a tslosetup.format=VDI tslosetup.partition=2", "a|VDI||2|||"],
  ["tslosetup.image=a tslosetup.overlay=ram", "a|QCOW|ram|||yes|"],
  ['tslosetup.image=a tslosetup.options="-r --threads 2" x', "a|QCOW|||-r --threads 2|yes|"],
  ['"tslosetup.image=a b" tslosetup.overlay="c d.qcow2"', "a b|QCOW|c d.qcow2||||"],
  ['tslosetup.image=a tslosetup.options="-v', "a|QCOW|||-v||"],
  ["tslosetup.image=a xtslosetup.format=RAW tslosetup.format", "a|QCOW|||||"],
  ["tslosetup.image=$(id) tslosetup.options=*", "$(id)|QCOW|||*||"],
  ["a\ttslosetup.image=b\u000bx\ftslosetup.partition=3\r\n", "b|QCOW||3|||"],
  ['tslosetup.image=a tslosetup.options="-P\t-r"', "a|QCOW|||-P\t-r|yes|"],
  ["tslosetup.image=a -- tslosetup.image=b tslosetup.overlay=ram", "a|QCOW|||||"],
  ["tslosetup.image=a --x x-- tslosetup.partition=1", "a|QCOW||1|||"],
  ["tslosetup.image=a tslosetup.format= tslosetup.overlay= tslosetup.partition=", "a|QCOW|||||"],
] as const;

/** What asks for no image. */
const NONE = ["root=/dev/vda1 ro", "tslosetup.image=", "x -- tslosetup.image=a", ""] as const;

const PLACES = [
  ["9p:tag:/a/b.qcow2", "9p|tag|/a/b.qcow2||"],
  ["9p:tag:/b.qcow2,cache=loose,msize=8192", "9p|tag|/b.qcow2|cache=loose,msize=8192|"],
  ["virtiofs:tag:/b", "virtiofs|tag|/b||"],
  ["nfs:server:/export/x:/b.qcow2", "nfs|server:/export/x|/b.qcow2||"],
  ["nfs:[fe80::1]:/export:/b,vers=4.2", "nfs|[fe80::1]:/export|/b|vers=4.2|"],
  ["/dev/vda3:/b.qcow2", "device|/dev/vda3|/b.qcow2||"],
  ["/dev/disk/by-path/pci-0000:00:05.0:/b", "device|/dev/disk/by-path/pci-0000:00:05.0|/b||"],
  ["UUID=12-ab:/b", "device|/dev/disk/by-uuid/12-ab|/b||"],
  ["LABEL=data:/b", "device|/dev/disk/by-label/data|/b||"],
  ["PARTUUID=1:/b", "device|/dev/disk/by-partuuid/1|/b||"],
  ["PARTLABEL=p", "device|/dev/disk/by-partlabel/p|||"],
  ["/dev/vdb", "device|/dev/vdb|||"],
  ["nfs:server:/:/a..b/.c", "nfs|server:/|/a..b/.c||"],
  ["/dev/vda3:/b,subvol=/", "device|/dev/vda3|/b|subvol=/|"],
] as const;

const NO_PLACES = [
  "root.qcow2",
  "/root.qcow2",
  "nfs:server:/root.qcow2",
  "9p:tag",
  "ftp://x",
  ...["9p::/x", "virtiofs::/x", "nfs::/exp:/x", "/dev/:/x", "/dev/"],
  ...["UUID=:/x", "LABEL=:/x", "PARTUUID=:/x", "PARTLABEL=:/x", "UUID=", "UUID=1:", "/dev/vda:"],
  ...["/dev/vda:/", "9p:tag:/,cache=loose", "nfs:server:/exp:/a/", "LABEL=a:/b/."],
  ...["/dev/vda:/../x", "9p:tag:/a/../../x", "virtiofs:tag:/a/.."],
] as const;

for (const shell of SHELLS) {
  oracleTest(`${shell.join(" ")} reads the kernel command line`, [shell[0]], async () => {
    const print =
      'tslosetup_read_words "$1"; echo "$image|$format|$overlay|$partition|$options|$is_read_only|"';
    for (const [line, expected] of WORDS) {
      assertEquals((await inShell(shell, print, line)).trim(), expected, line);
    }
  });

  oracleTest(`${shell.join(" ")} reads where an image lies`, [shell[0]], async () => {
    const print =
      'for each; do tslosetup_read_image "$each"; echo "$kind|$place|$path|$mount_options|"; done';
    const got = await inShell(shell, print, ...PLACES.map(([text]) => text));
    assertEquals(got.trim().split("\n"), PLACES.map(([, expected]) => expected));
  });

  oracleTest(`${shell.join(" ")} finds the place of an overlay`, [shell[0]], async () => {
    const print = "TSLOSETUP_SOURCE=/s file=/s/images/a; for overlay; do tslosetup_overlay; done";
    const got = await inShell(shell, print, "ram", "b", "/c/d");
    assertEquals(got, "ram\n/s/images/b\n/s/c/d\n");
  });

  oracleTest(`${shell.join(" ")} refuses what is no place for an image`, [shell[0]], async () => {
    const script = `. ${BOOT}common.sh
      for each; do tslosetup_read_image "$each" 2>&1 && echo "taken: $each"; done`;
    const { stdout } = await run("env", ...shell, "-uc", script, "sh", ...NO_PLACES);
    const refusals = NO_PLACES.map((place) =>
      `tslosetup: not a place for an image: tslosetup.image=${place}`
    );
    assertEquals(stdout.trim().split("\n"), refusals);
  });

  oracleTest(
    `${shell.join(" ")} does nothing where no image is asked for`,
    [shell[0]],
    async () => {
      const script = 'for each; do tslosetup_read_words "$each" || echo none; done';
      assertEquals(await inShell(shell, script, ...NONE), NONE.map(() => "none\n").join(""));
    },
  );
}

oracleTest("shellcheck finds nothing in the scripts", ["shellcheck"], async () => {
  const scripts = (await must("find", BOOT, "-name", "*.sh")).trim().split("\n");
  // What they source is the initramfs's, and what that sets.
  await must("shellcheck", "--shell=dash", "--exclude=SC1091,SC2154", ...scripts);
});
