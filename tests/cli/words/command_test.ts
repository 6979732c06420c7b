// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertObjectMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Command, parseCommand } from "../../../src/cli/words/command.ts";
import { OPTIONS } from "../../../src/cli/words/option_table.ts";
import { UsageError, usageErrorText } from "../../../src/cli/words/usage_error.ts";
import { WRONG_USES } from "../../differential/rows_wrong.ts";
import { oracleTest, run } from "../../support/tools.ts";
import { FORMATS } from "./formats.ts";

function parse(line: string): Command {
  return parseCommand(words(line), FORMATS);
}

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

function fault(line: string): string {
  return assertThrows(() => parse(line), UsageError).message;
}

const NO_FILTER = {
  device: undefined,
  file: undefined,
  offsetBytes: undefined,
  unlimited: false,
};
const ALL = {
  kind: "list",
  form: "table",
  headings: true,
  columns: { list: undefined, all: false },
  ...NO_FILTER,
} as const;
const SETUP_ONLY =
  "the options --{sizelimit,partscan,read-only,show} are allowed during loop device setup only";

Deno.test("parseCommand() lists devices without any argument, and with -l", () => {
  assertEquals(parse(""), ALL);
  assertEquals(parse("-l"), ALL);
  assertEquals(parse("-l x"), { ...ALL, device: "x" });
});

Deno.test("parseCommand() lists the devices of a file, optionally at an offset", () => {
  assertEquals(parse("-j a"), { ...ALL, form: "lines", file: "a" });
  assertEquals(parse("-lj a -o 0"), { ...ALL, file: "a", offsetBytes: 0 });
  const unlimited = { ...ALL, file: "a", offsetBytes: 0, unlimited: true };
  assertEquals(parse("-lj a -o 0 --sizelimit 0"), unlimited);
  assertEquals(parse("-lj a --sizelimit 0"), { ...ALL, file: "a" });
});

Deno.test("parseCommand() lists in the form that is asked for", () => {
  assertEquals(parse("-a"), { ...ALL, form: "lines" });
  assertEquals(parse("-aJ"), { ...ALL, form: "lines" });
  assertEquals(parse("-alJn"), { ...ALL, form: "json", headings: false });
  assertEquals(parse("--raw"), { ...ALL, form: "raw" });
  assertEquals(parse("-nJ"), { ...ALL, form: "json", headings: false });
  assertEquals(parse("-O RO,+x"), { ...ALL, columns: { list: "RO,+x", all: false } });
  assertEquals(parse("--output-all x"), {
    ...ALL,
    columns: { list: undefined, all: true },
    device: "x",
  });
  assertEquals(parse("-J x"), { kind: "status", device: "x" });
});

Deno.test("parseCommand() refuses unknown columns before anything is set up", () => {
  assertEquals(fault("-O NAME,FOO /dev/loop0 file"), "unknown column: FOO");
});

Deno.test("parseCommand() finds a device, or shows one", () => {
  assertEquals(parse("-f"), { kind: "find" });
  assertEquals(parse("/dev/loop0"), { kind: "status", device: "/dev/loop0" });
});

Deno.test("parseCommand() detaches in the grammars of losetup 2.38 and 2.42", () => {
  assertEquals(parse("-d a b"), {
    kind: "detach",
    devices: ["a", "b"],
    force: false,
    verbose: false,
  });
  assertEquals(parse("-da --detach=b c"), {
    kind: "detach",
    devices: ["a", "b", "c"],
    force: false,
    verbose: false,
  });
  assertEquals(parse("a -d"), { kind: "detach", devices: ["a"], force: false, verbose: false });
  assertEquals(parse("-vd a"), { kind: "detach", devices: ["a"], force: false, verbose: true });
  assertEquals(parse("--force -d a"), {
    kind: "detach",
    devices: ["a"],
    force: true,
    verbose: false,
  });
  assertEquals(parse("-D"), { kind: "detachAll" });
});

Deno.test("parseCommand() looks into an image, whatever its format", () => {
  const plain: Command = {
    kind: "info",
    file: "x",
    json: false,
    format: "auto",
    backingFormat: undefined,
    noBacking: false,
    allowBacking: [],
    parents: [],
    snapshot: undefined,
    keyFile: undefined,
    repair: "none",
    force: false,
  };
  assertEquals(parse("--info x"), plain);
  assertEquals(parse("x --map -J -t raw"), { ...plain, kind: "map", json: true, format: "RAW" });
  assertEquals(parse("--map --snapshot 1 --force --no-backing x"), {
    ...plain,
    kind: "map",
    snapshot: "1",
    force: true,
    noBacking: true,
  });
  assertEquals(parse("--check --repair leaks x"), { ...plain, kind: "check", repair: "leaks" });
  assertEquals(
    fault("--check --repair some x"),
    "unknown argument of --repair: 'some'; known: leaks, all",
  );
  assertEquals(fault("--repair all x"), "the option --repair goes with --check");
  assertEquals(fault("--info --repair all x"), "mutually exclusive arguments: --info --repair");
  assertEquals(
    fault("--check --repair all --force x"),
    "mutually exclusive arguments: --repair --force",
  );
  assertEquals(fault("--info"), "no file specified");
  assertEquals(fault("--map x y"), "unexpected arguments");
  assertEquals(fault("--map --info x"), "mutually exclusive arguments: --info --map");
  assertEquals(fault("--info x --snapshot 1"), "mutually exclusive arguments: --info --snapshot");
  for (const word of ["-f", "-D", "-dx", "-cx", "-jx", "-l", "-a", "--raw", "-o1", "--socket=s"]) {
    assertMatch(fault(`--info ${word} x`), /^mutually exclusive arguments: --info --/);
  }
});

Deno.test("parseCommand() makes the disk of an image larger", () => {
  const wanted = (bytes: number, isMore: boolean): Partial<Command> => ({
    kind: "grow",
    target: "x",
    size: { bytes, isMore },
  });
  assertObjectMatch(parse("--resize 2K x"), wanted(2048, false));
  assertObjectMatch(parse("x --resize=+1KB -t qcow2 --key-file k"), {
    ...wanted(1000, true),
    request: { format: "QCOW", readOnly: false },
    keyFile: "k",
  });
  assertEquals(fault("--resize 1M"), "no file specified");
  assertEquals(fault("--resize 1M x y"), "unexpected arguments");
  assertEquals(fault("--resize -1M x"), "failed to parse size: '-1M': a disk is not made smaller");
  assertEquals(fault("--resize +-1M x"), "failed to parse size: '-1M': Invalid argument");
  for (const word of ["-f", "-D", "-cx", "-r", "--show", "--info", "--no-backing", "-o1"]) {
    assertMatch(fault(`--resize 1M ${word} x`), /^mutually exclusive arguments: --/);
  }
});

Deno.test("parseCommand() changes snapshots", () => {
  const wanted = (action: string, format = "auto"): Partial<Command> =>
    ({ kind: "changeSnapshots", change: { action, name: "x" }, target: "y", format }) as Command;
  assertEquals(parse("--snapshot-create x y"), wanted("create"));
  assertEquals(parse("y --snapshot-apply=x -t qcow2"), wanted("apply", "QCOW"));
  assertEquals(parse("--snapshot-delete x y"), wanted("delete"));
  assertEquals(fault("--snapshot-create x"), "no file specified");
  assertEquals(fault("--snapshot-create x y z"), "unexpected arguments");
  for (const word of ["-f", "-D", "-r", "--info", "--snapshot=s", "--snapshot-delete=s"]) {
    assertMatch(fault(`--snapshot-create x ${word} y`), /^mutually exclusive arguments: --/);
  }
});

Deno.test("parseCommand() answers --help and --version before all later words", () => {
  assertEquals(parse("-f a b c -h"), { kind: "help" });
  assertEquals(parse("--versio"), { kind: "version" });
});

Deno.test("parseCommand() overlooks operands that losetup overlooks, except those of -D", () => {
  assertEquals(fault("-D x"), "unexpected arguments");
  assertEquals(parse("-j a x"), parse("-j a"));
  assertObjectMatch(parse("-c a b"), { kind: "resize", device: "a" });
  for (const line of ["-l x y", "x y z"]) assertEquals(parse(line), parse("x y"));
});

Deno.test("parseCommand() changes a device that is set up", () => {
  const device = "/dev/loop0";
  assertEquals(parse(`--direct-io ${device}`), { kind: "directIo", device, wanted: "on" });
  assertEquals(parse(`--direct-io=off ${device} -b 512`), {
    kind: "directIo",
    device,
    wanted: "off",
  });
  assertEquals(parse(`${device} -b 4K`), { kind: "sectorSize", device, wanted: 4096 });
  assertEquals(parse(`${device} -b auto`), { kind: "sectorSize", device, wanted: "auto" });
  assertEquals(parse(`${device} -b 0 -l`), { kind: "sectorSize", device, wanted: 0 });
  assertEquals(fault("--direct-io -l"), SETUP_ONLY);
  assertEquals(fault(`--direct-io -r ${device}`), SETUP_ONLY);
  assertEquals(parse("--direct-io=off -l"), parse("-l"));
});

Deno.test("parseCommand() removes devices", () => {
  assertEquals(parse("--remove a b"), { kind: "remove", devices: ["a", "b"] });
  assertEquals(fault("--remove"), "no loop device specified");
  assertEquals(
    fault("--remove -d a"),
    "mutually exclusive arguments: --detach-all --all --set-capacity --detach --find --associated --remove",
  );
});

Deno.test("parseCommand() refuses our set-up options where nothing is set up", () => {
  const message =
    "the options --{file-fmt-type,transport,kernel-decode,socket,threads,foreground,pid-file,no-revive} are allowed during loop " +
    "device setup only";
  for (const line of ["-l -t RAW", "-D --transport nbd", "-d x --socket s", "-l --no-revive"]) {
    assertEquals(fault(line), message);
  }
  const hint = ", which takes --find, a device or --socket beside the file";
  for (const line of ["x -t RAW", "-r --show -t RAW x"]) assertEquals(fault(line), message + hint);
  assertEquals(fault("x --snapshot s").endsWith(hint), true);
});

Deno.test("parseCommand() needs an operand to set up", () => {
  for (const line of ["-r", "--", "-t RAW"]) assertEquals(fault(line), "no loop device specified");
});

Deno.test("parseCommand() throws nothing but UsageError", () => {
  const option = fc.constantFrom(...OPTIONS.flatMap(({ long, short }) => [
    ...long.map((name) => `--${name}`),
    ...long.map((name) => `--${name.slice(0, 4)}=1K`),
    `-${short}`,
  ]));
  const word = fc.constantFrom("--", "-", "QCOW", "auto", "nbd", "RAW", "512", "/dev/loop0", "");
  const args = fc.array(fc.oneof(option, word, fc.string({ unit: "binary" })));
  fc.assert(fc.property(args, onlyUsageErrors), { numRuns: 5000 });
});

function onlyUsageErrors(args: string[]): void {
  try {
    parseCommand(args, FORMATS);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
}

/** getopt_long shows the program as it was called, all else by its short name. */
const ARGV_0 = /^\S*losetup:/;

oracleTest("parseCommand() words wrong uses as losetup does", ["losetup"], async () => {
  for (const line of WRONG_USES) {
    const { code, stderr } = await run("losetup", ...words(line));
    const error = assertThrows(() => parse(line), UsageError);
    const expected = stderr.replace(ARGV_0, "losetup:");
    assertEquals(usageErrorText(error, "losetup"), expected, line);
    assertEquals(code, 1, line);
  }
});

Deno.test("parseCommand() refuses set-up options where nothing is set up", () => {
  for (const line of ["-l -r", "-f -P", "-d x --show", "x --sizelimit 5"]) {
    assertEquals(fault(line), SETUP_ONLY);
  }
  assertEquals(parse("-l --sizelimit 0 -b 511"), ALL);
});

Deno.test("parseCommand() takes the device of -c attached or as an operand", () => {
  assertEquals(parse("-c /dev/loop0"), { kind: "resize", device: "/dev/loop0", file: undefined });
  assertEquals(parse("-c/dev/loop0"), { kind: "resize", device: "/dev/loop0", file: undefined });
  assertEquals(parse("--set-capacity /dev/loop0"), {
    kind: "resize",
    device: "/dev/loop0",
    file: undefined,
  });
  assertEquals(fault("-c"), "option requires an argument -- 'c'");
});
