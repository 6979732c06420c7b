/**
 * Lines of /etc/tslosetuptab, and the option that is about them.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseCommand } from "../../../src/cli/words/command.ts";
import { attachOfLine, has, parseTab, type TabLine } from "../../../src/cli/words/tab.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { FORMAT_NAMES } from "../../../src/image/formats.ts";

function onlyLine(text: string): TabLine {
  const { lines: [line, ...others] } = parseTab(text);
  if (line === undefined || others.length > 0) throw new Error("not one line");
  return line;
}

Deno.test("parseTab() leaves out comments, and takes escapes for what they stand for", () => {
  const { lines } = parseTab("# no\n\n a\\040b\t/x\\040y.vdi\n  # no\nc /z - noauto,nofail\n");
  assertEquals(lines.map(({ name, image, device }) => [name, image, device]), [
    ["a b", "/x y.vdi", undefined],
    ["c", "/z", undefined],
  ]);
  assertEquals(lines.map((line) => has(line, "noauto") && has(line, "nofail")), [false, true]);
});

Deno.test("parseTab() passes over lines that are none, and says which", () => {
  for (const text of ["b", "b b", "b /b - c d"]) {
    const { lines, faults } = parseTab(`a /a\n\n${text}\nc /c`);
    assertEquals(lines.map(({ name, number }) => [name, number]), [["a", 1], ["c", 4]]);
    assertEquals(faults, [{
      name: "b",
      message: `/etc/tslosetuptab:3: not NAME /IMAGE [DEVICE [OPTIONS]]: ${text}`,
    }]);
  }
});

Deno.test("parseTab() takes one line of a name, no control characters, and no '..'", () => {
  const bad = ["a /x", "b /x/../y", "b /x /dev/..", "b /x\\012y", "b\\177 /x", "b /x\u000by"];
  const { lines, faults } = parseTab(`a /a - nofail\r\n${bad.join("\n")}\nc /c\u00a0d`);
  assertEquals(lines.map(({ name, image }) => [name, image]), [["a", "/a"], ["c", "/c\u00a0d"]]);
  assert(lines[0] && has(lines[0], "nofail"));
  const why = [
    "has a line already",
    ...[1, 2].map(() => ".. in a path"),
    ...[1, 2, 3].map(() => "control character"),
  ];
  const messages = bad.map((line, i) => `/etc/tslosetuptab:${i + 2}: ${why[i]}: ${line}`);
  assertEquals(faults.map(({ message }) => message), messages);
});

Deno.test("attachOfLine() attaches as the line says", () => {
  const options = "ro,partscan,_netdev,x-systemd.foo=1,discard=unmap,threads=2,nofail";
  const command = attachOfLine(onlyLine(`n /x.qcow2 /dev/nbd3 ${options}`), FORMAT_NAMES);
  const { file, device, readOnly, partScan, threads, format, tabName } = command;
  assertEquals([file, device, readOnly, partScan, threads, format, tabName], [
    "/x.qcow2",
    "/dev/nbd3",
    true,
    true,
    2,
    "QCOW",
    "n",
  ]);
  assertEquals(attachOfLine(onlyLine("n /x - format=vdi"), FORMAT_NAMES).format, "VDI");
  assertEquals(attachOfLine(onlyLine("n /x"), FORMAT_NAMES).find, true);
});

Deno.test("attachOfLine() refuses options that nobody knows", () => {
  for (const option of ["noatime", "offset=x", "format=nosuch", "partition=1"]) {
    const line = onlyLine(`n /x - ${option}`);
    const place = "/etc/tslosetuptab:1: n: ";
    assertThrows(() => attachOfLine(line, FORMAT_NAMES), UsageError, place);
  }
});

Deno.test("parseCommand() has --tab attach and detach lines, and nothing else with them", () => {
  const tab = (...args: string[]): unknown => parseCommand(args, FORMAT_NAMES);
  const asked = { kind: "tab", action: "attach", name: undefined, verbose: false };
  assertEquals(tab("--tab"), asked);
  assertEquals(tab("-d", "--tab=n"), { ...asked, action: "detach", name: "n" });
  for (const args of [["--tab", "n"], ["--tab", "-r"], ["-d", "/dev/loop0", "--tab"]]) {
    assertThrows(() => tab(...args), UsageError);
  }
  for (const args of [["--tab", "n"], ["-d", "--tab", "n"]]) {
    assertThrows(() => tab(...args), UsageError, "; to name a line: --tab=n");
  }
});
