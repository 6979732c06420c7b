/**
 * Options of qemu-nbd's (qemu 7.2 to 10.0, `qemu-nbd --help`) that are spelled otherwise here, for who
 * comes from there.
 *
 * @module
 */

const DEVICE = "what stands for it is: tslosetup <device> <file>";
const ONLY_UNIX = "only Unix sockets are served: --socket <path>";
const ONE_EXPORT = "there is one export here, whose name is empty";
const NO_CONTEXT = "--map prints what is where, and base:allocation is served";
const ALWAYS_SHARED = "a socket takes up to 512 clients, and stays until --detach";
const RUNS_ON = "it is not needed: the command ends as soon as the device or socket is there";
const NO_ENGINE = "there is nothing to choose here";
const NEEDS_NO_TLS = "a Unix socket needs no TLS, and --key-file unlocks images";

/** What to write instead, by the option as it is spelled, perhaps with its argument. */
const INSTEAD: Readonly<Record<string, string>> = {
  "--connect": DEVICE,
  "--disconnect": "--detach <device>",
  "-k": "--socket <path>",
  "-s": "--overlay",
  "--cache=none": "--direct-io, for RAW images",
  "--cache=directsync": "--direct-io --cache=writethrough, for RAW images",
  "--nocache": "--direct-io, for RAW images",
  "--format": "--file-fmt-type <format>",
  "--load-snapshot": "--snapshot <name>",
  "-x": ONE_EXPORT,
  "--export-name": ONE_EXPORT,
  "-p": ONLY_UNIX,
  "--port": ONLY_UNIX,
  "--bind": ONLY_UNIX,
  "-e": ALWAYS_SHARED,
  "--shared": ALWAYS_SHARED,
  "--persistent": ALWAYS_SHARED,
  "--fork": RUNS_ON,
  "--pid-file": "--list --output PID says which process serves",
  "--aio": NO_ENGINE,
  "--image-opts": "what describes an image has options of its own, which --help names",
  "--object": NEEDS_NO_TLS,
  "--tls-creds": NEEDS_NO_TLS,
  "-A": NO_CONTEXT,
  "--allocation-depth": NO_CONTEXT,
  "-B": NO_CONTEXT,
  "--bitmap": NO_CONTEXT,
};

/**
 * What qemu-nbd's option is here; undefined if it has none of that name.
 *
 * @param spelling `-k`, `--fork` or `--cache=none`
 */
export function insteadOf(spelling: string): string | undefined {
  return Object.hasOwn(INSTEAD, spelling) ? INSTEAD[spelling] : undefined;
}
