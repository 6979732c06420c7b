/**
 * A process that gives up its rights as a daemon does, and then tries what needs some. It prints, as JSON,
 * what came of it: 0, or the error number.
 *
 * @module
 */
import { disarm, disarmOtherThreads } from "../../src/daemon/rights.ts";
import { O_RDONLY, O_RDWR } from "../../src/sys/files.ts";
import { lastErrno, libc, openLibc } from "../../src/sys/libc.ts";
import { addressOf, cString } from "../../src/sys/memory.ts";
import { SYSTEM_CALLS } from "../../src/sys/system_calls.ts";

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;
const [AF_UNIX, AF_INET, AF_NETLINK] = [1, 2, 16];
const [SOCK_STREAM, SOCK_DGRAM] = [1, 2];
const SIGCHLD = 17;
const SIOCGIFCONF = 0x8912;

openLibc();
const folder = Deno.args[0] ?? "";
const path = cString(`${folder}/file`);
const program = cString("/bin/true");
const others = disarmOtherThreads();
disarm([]);

const parent = Deno.ppid;
const tries: Readonly<Record<string, () => number | bigint>> = {
  "open for reading": () => libc().open(path, O_RDONLY, 0),
  "open for writing": () => libc().open(path, O_RDWR, 0),
  "unlink": () => libc().unlink(path),
  "mkdir": () => libc().mkdir(cString(`${folder}/folder`), 0o700),
  "rename": () => libc().rename(program, path),
  "signal to itself": () => libc().kill(libc().getpid(), 0),
  "signal to another": () => libc().kill(parent, 0),
  "unix datagrams": () => libc().socket(AF_UNIX, SOCK_DGRAM, 0),
  "unix stream": () => libc().socket(AF_UNIX, SOCK_STREAM, 0),
  "inet socket": () => libc().socket(AF_INET, SOCK_DGRAM, 0),
  "netlink socket": () => libc().socket(AF_NETLINK, SOCK_DGRAM, 0),
  "network interface": () => libc().ioctl(0, SIOCGIFCONF, 0),
  "own descriptors": () => libc().unshare(CLONE_FS),
  "own mounts": () => libc().unshare(CLONE_NEWNS),
  "chroot": () => libc().chroot(cString("/")),
  "another process": () => libc().syscall(SYSTEM_CALLS.clone, SIGCHLD, 0, 0, 0, 0, 0),
  "another program": () => libc().syscall(SYSTEM_CALLS.execve, addressOf(program), 0, 0, 0, 0, 0),
};

const outcomes: Record<string, number> = {};
for (const [what, attempt] of Object.entries(tries)) {
  outcomes[what] = attempt() < 0 ? lastErrno() : 0;
}

/** A thread that begins now. */
const source = `postMessage("lives"); close();`;
const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
const said = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ others, said, outcomes })));
