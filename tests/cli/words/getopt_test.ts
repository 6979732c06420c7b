// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { getopt, missingArgument, type OptionSpec } from "../../../src/cli/words/getopt.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";

const TABLE: readonly OptionSpec[] = [
  { long: ["find"], short: "f", argument: "none" },
  { long: ["list"], short: "l", argument: "none" },
  { long: ["detach"], short: "d", argument: "optional" },
  { long: ["detach-all"], short: "D", argument: "none" },
  { long: ["offset"], short: "o", argument: "required" },
  { long: ["sizelimit"], short: "", argument: "required" },
  { long: ["direct-io"], short: "", argument: "optional" },
  { long: ["kind", "kin-of"], short: "k", argument: "required" },
  { long: ["file-fmt-type"], short: "é", argument: "required", extension: true },
];

/** Tokens in short: `name`, `name=value` or `(operand)`. */
function scan(...args: string[]): string[] {
  return Array.from(getopt(args, TABLE), (token) => {
    if (token.kind === "operand") return `(${token.word})`;
    const name = token.option.long[0];
    return token.value === undefined ? name : `${name}=${token.value}`;
  });
}

function grammarFault(...args: string[]): string {
  const error = assertThrows(() => scan(...args), UsageError);
  assertEquals(error.hint, true);
  return error.message;
}

Deno.test("getopt() splits clusters of short options", () => {
  assertEquals(scan("-fl"), ["find", "list"]);
  assertEquals(scan("-fo512"), ["find", "offset=512"]);
  assertEquals(scan("-fo", "-l"), ["find", "offset=-l"]);
  assertEquals(scan("-o", "512", "-l"), ["offset=512", "list"]);
  assertEquals(scan("-éx"), ["file-fmt-type=x"]);
});

Deno.test("getopt() takes arguments of long options attached or separate", () => {
  assertEquals(scan("--offset=1=2", "--offset", "--list"), ["offset=1=2", "offset=--list"]);
  assertEquals(scan("--offset="), ["offset="]);
});

Deno.test("getopt() takes optional arguments only if they are attached", () => {
  assertEquals(scan("--direct-io", "on"), ["direct-io", "(on)"]);
  assertEquals(scan("--direct-io=on"), ["direct-io=on"]);
  assertEquals(scan("-d", "a"), ["detach", "(a)"]);
  assertEquals(scan("-da"), ["detach=a"]);
});

Deno.test("getopt() completes unambiguous prefixes", () => {
  assertEquals(scan("--sizel", "512"), ["sizelimit=512"]);
  assertEquals(scan("--detach-"), ["detach-all"]);
});

Deno.test("getopt() prefers an exact name to longer ones", () => {
  assertEquals(scan("--detach"), ["detach"]);
});

Deno.test("getopt() finds no ambiguity between names of one option", () => {
  assertEquals(scan("--ki=1"), ["kind=1"]);
});

Deno.test("getopt() lets no extension make a prefix ambiguous", () => {
  assertEquals(scan("--fi", "--fil=x"), ["find", "file-fmt-type=x"]);
});

Deno.test("getopt() finds operands anywhere, and only operands behind --", () => {
  assertEquals(scan("a", "-l", "-", "--", "-f", "--"), ["(a)", "list", "(-)", "(-f)", "(--)"]);
  assertEquals(scan("", "-o", "--", "-l"), ["()", "offset=--", "list"]);
});

Deno.test("getopt() says which word an option is in, and whether it ends it", () => {
  const tokens = [...getopt(["-fo", "1", "--find", "x", "-lf"], TABLE)].map((token) =>
    token.kind === "operand" ? [token.wordIndex] : [token.wordIndex, token.endsWord]
  );
  assertEquals(tokens, [[0, false], [0, true], [2, true], [3], [4, false], [4, true]]);
});

Deno.test("getopt() names faults as glibc does", () => {
  assertEquals(grammarFault("--foo=1"), "unrecognized option '--foo=1'");
  assertEquals(
    grammarFault("--d=1"),
    "option '--d=1' is ambiguous; possibilities: '--detach' '--detach-all' '--direct-io'",
  );
  assertEquals(grammarFault("-lx"), "invalid option -- 'x'");
  assertEquals(grammarFault("-l😀"), "invalid option -- '😀'");
  assertEquals(grammarFault("-lo"), "option requires an argument -- 'o'");
  assertEquals(grammarFault("--off"), "option '--offset' requires an argument");
  assertEquals(grammarFault("--li=3"), "option '--list' doesn't allow an argument");
});

Deno.test("getopt() yields what comes before a fault", () => {
  const tokens = getopt(["-l", "-x"], TABLE);
  assertEquals(tokens.next().done, false);
  assertThrows(() => tokens.next(), UsageError, "invalid option -- 'x'");
});

Deno.test("getopt() returns every word behind -- unchanged", () => {
  fc.assert(fc.property(fc.array(fc.string()), (words) => {
    assertEquals(scan("--", ...words), words.map((word) => `(${word})`));
  }));
});

Deno.test("getopt() moves no operand and loses none", () => {
  const option = fc.constantFrom("-l", "-fl", "--find", "-o5", "--offset=5", "--direct-io");
  const operand = fc.stringMatching(/^[a-z]{1,4}$/);
  fc.assert(fc.property(fc.array(fc.oneof(option, operand)), (words) => {
    const operands = scan(...words).filter((token) => token.startsWith("("));
    assertEquals(operands, words.filter((word) => !word.startsWith("-")).map((w) => `(${w})`));
  }));
});

Deno.test("missingArgument() words short and long options differently", () => {
  assertEquals(missingArgument("-d").message, "option requires an argument -- 'd'");
  assertEquals(missingArgument("--detach").message, "option '--detach' requires an argument");
});
