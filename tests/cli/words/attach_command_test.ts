// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { AttachCommand } from "../../../src/device/attach_command.ts";
import { parseCommand } from "../../../src/cli/words/command.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { FORMATS } from "./formats.ts";

const EVERY_SETTING =
  "-rvPf --show -o 1K --sizelimit 1M -b 4K --direct-io --loop-ref x -L -t auto --transport nbd";

function attach(line: string): AttachCommand {
  const command = parseCommand(line.split(" "), FORMATS);
  if (command.kind !== "attach") throw new Error(`${line}: not an attach but ${command.kind}`);
  return command;
}

/** What `line` attaches, in short: `format file on device`. */
function plan(line: string): string {
  const { format, file, device, find } = attach(line);
  return `${format} ${file} on ${find ? "any" : device}`;
}

function fault(line: string): string {
  return assertThrows(() => parseCommand(line.split(" "), FORMATS), UsageError).message;
}

Deno.test("attachCommand() fills in the defaults", () => {
  assertEquals(attach("/dev/loop0 img"), {
    kind: "attach",
    file: "img",
    device: "/dev/loop0",
    find: false,
    show: false,
    readOnly: false,
    noHeadings: false,
    verbose: false,
    revive: true,
    partScan: false,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    sectorBytes: undefined,
    directIo: undefined,
    loopReference: undefined,
    noOverlap: false,
    passedOver: undefined,
    format: undefined,
    backingFormat: undefined,
    snapshot: undefined,
    overlay: undefined,
    force: false,
    cacheSizes: {},
    writePolicy: {},
    cleanIntervalSeconds: undefined,
    noBacking: false,
    allowBacking: [],
    parents: [],
    keyFile: undefined,
    threads: undefined,
    transport: "auto",
    kernelDecode: false,
    socketPath: undefined,
    foreground: false,
    pidFile: undefined,
    tabName: undefined,
  });
});

Deno.test("attachCommand() takes every setting", () => {
  assertEquals(attach(`${EVERY_SETTING} img`), {
    kind: "attach",
    file: "img",
    device: undefined,
    find: true,
    show: true,
    readOnly: true,
    noHeadings: false,
    verbose: true,
    revive: true,
    partScan: true,
    offsetBytes: 1024,
    sizeLimitBytes: 1024 ** 2,
    sectorBytes: 4096,
    directIo: "on",
    loopReference: "x",
    noOverlap: true,
    passedOver: undefined,
    format: "auto",
    backingFormat: undefined,
    snapshot: undefined,
    overlay: undefined,
    force: false,
    cacheSizes: {},
    writePolicy: {},
    cleanIntervalSeconds: undefined,
    noBacking: false,
    allowBacking: [],
    parents: [],
    keyFile: undefined,
    threads: undefined,
    transport: "nbd",
    kernelDecode: false,
    socketPath: undefined,
    foreground: false,
    pidFile: undefined,
    tabName: undefined,
  });
});

Deno.test("attachCommand() takes what is said of backing files", () => {
  const { backingFormat, noBacking, allowBacking } = attach(
    "-f img --backing-fmt qcow2 --allow-backing /a --allow-backing=b",
  );
  assertEquals([backingFormat, noBacking, allowBacking], ["QCOW", false, ["/a", "b"]]);
  assertEquals(attach("-f img --parent a --parent=b").parents, ["a", "b"]);
  assertEquals(attach("-f img --no-backing").noBacking, true);
  assertEquals(
    fault("-f img --parent a --no-backing"),
    "mutually exclusive arguments: --no-backing --parent",
  );
  assertEquals(
    fault("-f img --no-backing --backing-fmt RAW"),
    "mutually exclusive arguments: --no-backing --backing-fmt",
  );
});

Deno.test("attachCommand() takes the last word on who decompresses", () => {
  assertEquals(attach("-f img --kernel-decode on").kernelDecode, true);
  assertEquals(attach("-f img --kernel-decode on --kernel-decode off").kernelDecode, false);
  assertEquals(fault("-f img --kernel-decode yes"), "failed to parse --kernel-decode: 'yes'");
  assertMatch(fault("-d /dev/loop0 --kernel-decode on"), /kernel-decode/);
});

Deno.test("attachCommand() takes a snapshot, and the word that forces", () => {
  const { snapshot, force } = attach("-f img --snapshot before --force");
  assertEquals([snapshot, force], ["before", true]);
  assertEquals(
    fault("-f img --snapshot 1 --snapshot 2"),
    "conflicting arguments for --snapshot: '1' and '2'",
  );
});

Deno.test("attachCommand() takes an overlay, and what it may take", () => {
  assertEquals(attach("-f img").overlay, undefined);
  assertEquals(attach("-f img --overlay").overlay, { kept: "in a file", limitBytes: undefined });
  assertEquals(attach("--overlay=ram --overlay-size 2M -f img").overlay, {
    kept: "in memory",
    limitBytes: 2 * 1024 ** 2,
  });
  assertEquals(attach("-f img --overlay=./ram").overlay, { kept: "for later", path: "./ram" });
  assertEquals(fault("-f img --overlay="), "the path of an overlay is empty");
  assertEquals(fault("img --socket="), "the path of a socket is empty");
  assertEquals(
    fault("-f img --overlay --overlay=a"),
    "conflicting arguments for --overlay: '' and 'a'",
  );
  assertEquals(fault("-f img --overlay-size 1G"), "--overlay-size requires --overlay");
  assertEquals(
    fault("-f img --overlay --overlay-size 127K"),
    "--overlay-size has to be 128K or more: '127K'",
  );
  assertEquals(
    fault("-f img --overlay --overlay-size x"),
    "failed to parse overlay size: 'x': Invalid argument",
  );
  const exclusive = (words: string): string => `mutually exclusive arguments: ${words}`;
  assertEquals(fault("-r -f img --overlay"), exclusive("--read-only --overlay"));
  assertEquals(fault("-L -f img --overlay"), exclusive("--nooverlap --overlay"));
  for (const transport of ["loop", "view"]) {
    const words = `--transport ${transport}`;
    assertEquals(fault(`-f img --overlay ${words}`), exclusive(`${words} --overlay`));
  }
  for (const option of ["--snapshot s", "--no-backing", "--force", "--overlay-size 1G"]) {
    const [name = ""] = option.split(" ");
    assertEquals(fault(`-f img --overlay=a ${option}`), exclusive(`--overlay=<path> ${name}`));
  }
  assertMatch(fault("-d /dev/loop0 --overlay"), /overlay.*are allowed during loop device setup/);
});

Deno.test("attachCommand() takes sizes of caches, and how soon they are emptied", () => {
  const { cacheSizes, cleanIntervalSeconds } = attach(
    "-f img --cache-size 1M --data-cache-size=64KiB --cache-size 1G --cache-clean-interval 0",
  );
  assertEquals(cacheSizes, { metadataCacheBytes: 2 ** 30, dataCacheBytes: 65536 });
  assertEquals(cleanIntervalSeconds, 0);
  for (const size of ["1", "65535", "1025M"]) {
    const message = `--cache-size has to be from 64K to 1G: '${size}'`;
    assertEquals(fault(`-f img --cache-size ${size}`), message);
  }
  assertEquals(
    fault("-f img --data-cache-size x"),
    "failed to parse cache size: 'x': Invalid argument",
  );
  for (const seconds of ["-1", "1.5", "604801", "x"]) {
    const message = `--cache-clean-interval has to be from 0 to 604800 seconds: '${seconds}'`;
    assertEquals(fault(`-f img --cache-clean-interval=${seconds}`), message);
  }
});

Deno.test("attachCommand() takes -b 0 for the default, and any other size as it is", () => {
  assertEquals(attach("-f img -b 0").sectorBytes, undefined);
  assertEquals(attach("-f img -b auto").sectorBytes, "auto");
  assertEquals(attach("-f img -b 8K").sectorBytes, 8192);
});

Deno.test("attachCommand() takes --direct-io=off only where no other is on, as losetup", () => {
  assertEquals(attach("-f img --direct-io=off").directIo, "off");
  assertEquals(attach("-f img --direct-io=off --direct-io").directIo, "on");
  assertEquals(attach("-f img --direct-io --direct-io=off").directIo, "on");
  assertEquals(fault("-f img --direct-io=yes"), "argument error: 'yes'");
});

Deno.test("attachCommand() takes transport loop for what may be RAW only", () => {
  for (const format of ["", "-t RAW", "-t auto"]) {
    assertEquals(attach(`--transport loop ${format} -f img`.replace("  ", " ")).transport, "loop");
  }
  assertEquals(
    fault("--transport loop -t QCOW -f img"),
    "transport 'loop' is for RAW images; for QCOW there are view, nbd and fuse",
  );
});

Deno.test("attachCommand() serves a file on a socket", () => {
  const { file, find, device, transport, socketPath } = attach("--socket /s img -t qcow");
  assertEquals([file, device, transport, socketPath], ["img", undefined, "socket", "/s"]);
  assertEquals(find, false);
  assertEquals(attach("--socket /s --transport socket img").transport, "socket");
});

Deno.test("attachCommand() takes -f of a socket for what names its format", () => {
  for (
    const line of [
      "--socket /s -f QCOW img",
      "-f qcow2 img --socket /s",
      "--find QCOW --socket=/s img",
    ]
  ) {
    const { file, find, device, format, transport } = attach(line);
    assertEquals([file, find, device, format, transport], [
      "img",
      false,
      undefined,
      "QCOW",
      "socket",
    ]);
  }
});

Deno.test("attachCommand() refuses what a socket cannot have", () => {
  assertEquals(fault("--socket /s"), "no file specified");
  assertEquals(fault("--socket /s /dev/nbd0 img"), "unexpected arguments");
  for (const line of ["--socket /s -f img", "-f img --socket /s", "--socket /s -f QCOW"]) {
    assertEquals(fault(line), "mutually exclusive arguments: --socket --find");
  }
  assertEquals(fault("--socket /s -f QCOW /dev/loop0 img"), "unexpected arguments");
  assertEquals(fault("-P --socket /s img"), "mutually exclusive arguments: --socket --partscan");
  assertEquals(
    fault("-b 512 --socket /s img"),
    "mutually exclusive arguments: --socket --sector-size",
  );
  assertEquals(
    fault("--socket /s --transport nbd img"),
    "mutually exclusive arguments: --transport nbd --socket",
  );
  assertEquals(
    fault("--transport socket -f img"),
    "--transport socket requires --socket <path>",
  );
});

Deno.test("findCommand() takes a format behind -f if more operands follow", () => {
  assertEquals(plan("-f QCOW img"), "QCOW img on any");
  assertEquals(plan("--find qcow2 img"), "QCOW img on any");
  assertEquals(plan("-r -f QCOW /dev/loop0 img"), "QCOW img on /dev/loop0");
  assertEquals(plan("-rf QCOW dev img"), "QCOW img on dev");
  assertEquals(plan("-f auto img"), "auto img on any");
  assertEquals(plan("img -f QCOW"), "QCOW img on any");
  assertEquals(plan("-f QCOW -r QCOW"), "QCOW QCOW on any");
});

Deno.test("findCommand() takes a format's name that is the only operand for a file", () => {
  assertEquals(plan("-f QCOW"), "undefined QCOW on any");
  assertEquals(plan("-f QCOW -t RAW"), "RAW QCOW on any");
});

Deno.test("findCommand() sees no format where -f does not end its word, or options intervene", () => {
  const stray = "unexpected arguments; a format stands right behind -f: -f QCOW";
  assertEquals(fault("-fr QCOW img"), stray);
  assertEquals(fault("-f -r QCOW img"), stray);
  assertEquals(fault("-f -- QCOW img"), stray);
});

Deno.test("findCommand() says where an overlay's name stands", () => {
  const stray = "unexpected arguments; an overlay's name stands behind a =: --overlay=ram";
  assertEquals(fault("-f --overlay ram img"), stray);
  assertEquals(fault("-t QCOW -f --overlay=ram img x"), "unexpected arguments");
});

Deno.test("findCommand() refuses too many operands as losetup does", () => {
  assertEquals(fault("-f a b"), "unexpected arguments");
  assertEquals(fault("-f QCOW a b c"), "unexpected arguments");
  assertEquals(fault("-t QCOW -f a b"), "unexpected arguments");
});

Deno.test("findCommand() says that what looks like a format is none", () => {
  for (const word of ["QCOV", "vmdk", "qcow4"]) {
    assertEquals(
      fault(`-f ${word} img`),
      `unknown file format type '${word}'; known: RAW, QCOW (or 'auto' to detect it)`,
    );
  }
});

Deno.test("findCommand() refuses two different formats", () => {
  assertEquals(
    fault("-t RAW -f QCOW img"),
    "conflicting arguments for --file-fmt-type: 'RAW' and 'QCOW'",
  );
  assertEquals(plan("-t qcow -f QCOW2 img"), "QCOW img on any");
});

Deno.test("attachCommand() takes what is said of writes, as qemu-nbd has it", () => {
  assertEquals(
    attach("-f img --cache writethrough --discard=ignore --detect-zeroes on --cache unsafe")
      .writePolicy,
    { cache: "unsafe", discard: "ignore", detectZeroes: "on" },
  );
  assertEquals(
    fault("-f img --cache never"),
    "unknown argument of --cache: 'never'; known: writeback, writethrough, unsafe",
  );
  assertEquals(
    fault("-f img --detect-zeroes unmap --discard ignore"),
    "mutually exclusive arguments: --detect-zeroes unmap --discard ignore",
  );
});
