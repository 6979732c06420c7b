/**
 * The command line of qemu-nbd (qemu 2.12 to 10.1, `qemu-nbd --help`), and what stands for it here, for
 * who comes from there.
 *
 * @module
 */
import { FORMAT_NAMES } from "../../image/formats.ts";
import type { OptionSpec } from "./getopt.ts";

/** One of its options. */
export interface QemuNbdOption extends OptionSpec {
  /** What its argument has to be, lest the line is none of qemu-nbd's; anything unless given. */
  readonly accepts?: RegExp;
  /** The words that say the same here; undefined for an argument that nothing says. */
  readonly words?: (value: string) => readonly string[] | undefined;
  /** What to say of it alone. */
  readonly note?: string | Readonly<Record<string, string>>;
  /** The one of its spellings that is an option of ours, and means something else. */
  readonly foreign?: string;
}

const ONLY_UNIX = "only Unix sockets are served: --socket <path>";
const NO_CONTEXT = "--map prints what is where, and base:allocation is served";
const ALWAYS_SHARED = "a socket takes up to 512 clients, and stays until --detach";
const NEEDS_NO_TLS = "a Unix socket needs no TLS, and --key-file unlocks images";
const DIRECT = "--direct-io, for RAW images";

/** What is not needed here, or does not change what is served. */
const nothing = (): string[] => [];

/** qemu's names are ours but for one: its qcow is version 1. */
function formatWords(name: string): string[] | undefined {
  const format = name === "qcow" ? "QCOW1" : FORMAT_NAMES.canonical(name);
  return format === undefined ? undefined : ["-t", format];
}

/** `snapshot.id=1`, `snapshot.name=base`, or either alone. */
function snapshotWords(value: string): string[] {
  return ["--snapshot", value.replace(/^snapshot\.(id|name)=/, "")];
}

function cacheWords(mode: string): string[] {
  if (mode === "none") return [];
  return [`--cache=${mode === "directsync" ? "writethrough" : mode}`];
}

function discardWords(mode: string): string[] {
  return [`--discard=${mode === "unmap" || mode === "on" ? "unmap" : "ignore"}`];
}

type Row = Omit<QemuNbdOption, "long" | "short" | "argument">;

function flag(short: string, long: string, row: Row = {}): QemuNbdOption {
  return { short, long: [long], argument: "none", ...row };
}

function valued(short: string, long: string, row: Row = {}): QemuNbdOption {
  return { short, long: [long], argument: "required", ...row };
}

const NO_OPTION = /^[^-]/;

/** Which device or socket there is to be. */
export const CONNECT = valued("c", "connect", {
  accepts: NO_OPTION,
  words: (device) => [device],
  note: "tslosetup <device> <file>",
  foreign: "-c",
});
export const SOCKET = valued("k", "socket", {
  words: (path) => ["--socket", path],
  note: "--socket <path>",
});

/** Without it, qemu looks at the image. */
export const FORMAT = valued("f", "format", {
  accepts: /^[a-z][a-z0-9]+$/,
  words: formatWords,
  note: "-t <format>",
});

/** It alone comes without a file. */
export const LIST = flag("L", "list", {
  note: "--list shows what is attached here, not what others export",
  foreign: "-L",
});

export const QEMU_NBD_OPTIONS: readonly QemuNbdOption[] = [
  CONNECT,
  SOCKET,
  FORMAT,
  LIST,
  flag("d", "disconnect", { note: "--detach <device>" }),
  flag("r", "read-only", { words: () => ["-r"] }),
  flag("v", "verbose", { words: () => ["-v"] }),
  valued("o", "offset", { words: (value) => ["-o", value] }),
  flag("s", "snapshot", { words: () => ["--overlay"], note: "--overlay", foreign: "--snapshot" }),
  valued("l", "load-snapshot", {
    accepts: /^[^/]+$/,
    words: snapshotWords,
    note: "--snapshot <name>",
    foreign: "-l",
  }),
  valued("P", "partition", {
    accepts: /^\d+$/,
    words: () => ["-P"],
    note: "-P without a number makes a device of each partition",
    foreign: "-P",
  }),
  flag("n", "nocache", { words: nothing, note: DIRECT }),
  valued("", "cache", {
    words: cacheWords,
    note: { none: DIRECT, directsync: "--direct-io --cache=writethrough, for RAW images" },
  }),
  valued("", "discard", {
    words: discardWords,
    note: { on: "--discard=unmap", off: "--discard=ignore" },
  }),
  valued("", "detect-zeroes", { words: (mode) => [`--detect-zeroes=${mode}`] }),
  valued("", "aio", { words: nothing, note: "there is nothing to choose here" }),
  flag("t", "persistent", { words: nothing, note: ALWAYS_SHARED, foreign: "-t" }),
  valued("e", "shared", { words: nothing, note: ALWAYS_SHARED }),
  flag("", "fork", {
    words: nothing,
    note: "it is not needed: the command ends as soon as the device or socket is there",
  }),
  valued("", "pid-file"),
  valued("x", "export-name", { note: "there is one export here, whose name is empty" }),
  valued("D", "description", {
    accepts: NO_OPTION,
    words: nothing,
    note: "exports have no description here",
    foreign: "-D",
  }),
  valued("p", "port", { note: ONLY_UNIX }),
  valued("b", "bind", { accepts: /[.:]|^localhost$/, note: ONLY_UNIX, foreign: "-b" }),
  flag("A", "allocation-depth", { note: NO_CONTEXT }),
  valued("B", "bitmap", { note: NO_CONTEXT }),
  flag("", "image-opts", {
    note: "what describes an image has options of its own, which --help names",
  }),
  valued("", "object", { note: NEEDS_NO_TLS }),
  valued("", "tls-creds", { note: NEEDS_NO_TLS }),
  valued("", "tls-authz", { note: NEEDS_NO_TLS }),
  valued("", "tls-hostname", { note: NEEDS_NO_TLS }),
  valued("T", "trace", { note: "TSLOSETUP_DEBUG=all in the environment traces" }),
  valued("", "selinux-label", { note: "sockets get no label of their own here" }),
  valued("", "handshake-limit", { note: "a client has 60 s for its handshake" }),
];
