// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { DONE, LEAVE } from "../../src/daemon/job.ts";
import type { PreparedMessages } from "../../src/kernel/nbd.ts";
import { leaveEnd, octal, watcherScript } from "../../src/daemon/watcher.ts";
import { Fd, O_DIRECT, O_RDONLY, openFile, readText, writeText } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { openNull, spawn, waitFor } from "../../src/sys/spawn.ts";
import { hasTool, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const SHELLS = [["/bin/sh"], ["/bin/bash"], ["/bin/dash"], ["/bin/busybox", "sh"]];
const LINE = "a line";
const NO_MESSAGES = { disconnect: new Uint8Array(), leave: new Uint8Array() };
/** Every byte there is, and some without those that end lines. */
const MESSAGES = {
  "any bytes": {
    disconnect: Uint8Array.from({ length: 256 }, (_, byte) => byte),
    leave: Uint8Array.from({ length: 256 }, (_, byte) => 255 - byte),
  },
  "no line feed": {
    disconnect: Uint8Array.of(28, 0, 0, 255, 92, 37, 0),
    leave: Uint8Array.of(29, 0, 0, 255, 92, 37, 1),
  },
};

interface Scene {
  readonly shell: readonly string[];
  /** Undefined for other transports than nbd. */
  readonly messages: PreparedMessages | undefined;
  /** What the daemon says before it ends. */
  readonly words: string;
  /** What tells that the device is still the same; undefined where there is no such thing. */
  readonly attribute: string | undefined;
  /** What would do more than disconnect. */
  readonly program: string;
  /** Whether that could have another daemon started. */
  readonly isRevivable?: boolean;
}

/** What a watcher has sent, each write by itself, what it has logged, and what its program has printed. */
interface Seen {
  readonly sent: readonly Uint8Array[];
  readonly logged: string;
  readonly printed: string;
}

function watch(
  { shell, messages, words, attribute, program, isRevivable = false }: Scene,
): Seen {
  const [end, daemonEnd] = pipe();
  const [packets, packetsStart] = packetPipe();
  const [log, logStart] = pipe();
  const [output, outputStart] = pipe();
  using nothing = openNull();
  using source = attribute === undefined ? openNull() : openFile(attribute, O_RDONLY);
  const [first = "", ...applet] = shell;
  const script = watcherScript(messages?.disconnect, {
    isGuarded: attribute !== undefined,
    isRevivable,
  });
  const { disconnect, leave: leaving } = messages ?? NO_MESSAGES;
  const lengthBytes = leaving.length;
  const leave = leaveEnd(packetsStart.number, { lengthBytes, shell: first });
  const pid = spawn(first, {
    argv: [applet[0] ?? "name/sh", "-c", script, "sh", program, "argument"],
    environment: [
      `PATH=${Deno.env.get("PATH")}`,
      "DEVICE=/dev/nbd7",
      `DISCONNECT=${octal(disconnect)}`,
      `LEAVE=${octal(leaving)}`,
      `LINE=${LINE}`,
    ],
    fds: [
      ...[end.number, nothing.number, outputStart.number],
      ...[packetsStart.number, source.number, logStart.number, leave.number],
    ],
  });
  for (const fd of [end, packetsStart, logStart, outputStart, leave]) fd.close();
  writeText(daemonEnd.number, words);
  daemonEnd.close();
  waitFor(pid);
  const seen = {
    sent: [...packetsIn(packets)],
    logged: readText(log.number),
    // dd tells there what it has copied.
    printed: readText(output.number).replace(/^(\d.*\n)*/gm, ""),
  };
  for (const fd of [packets, log, output]) fd.close();
  return seen;
}

/** A pipe that keeps what is written at once apart (pipe(2), O_DIRECT). */
function packetPipe(): [Fd, Fd] {
  const fds = new Int32Array(2);
  libc().pipe2(new Uint8Array(fds.buffer), O_DIRECT);
  return [new Fd(fds[0] ?? -1), new Fd(fds[1] ?? -1)];
}

function* packetsIn(end: Fd): Generator<Uint8Array> {
  const buffer = new IoBuffer(4096);
  for (;;) {
    const count = libc().read(end.number, buffer.address, buffer.size);
    if (count <= 0) return;
    yield buffer.bytes.slice(0, count);
  }
}

function byFirst([a = 0]: Uint8Array, [b = 0]: Uint8Array): number {
  return a - b;
}

for (const shell of SHELLS.filter(([path = ""]) => hasTool(path.slice("/bin/".length)))) {
  for (const [what, messages] of Object.entries(MESSAGES)) {
    const test = (does: string, body: (scene: Scene) => void): void =>
      Deno.test(`watcherScript() ${does}: ${shell.join(" ")}, ${what}`, () => {
        using folder = new TempDirectory();
        const attribute = folder.file("attribute");
        Deno.writeTextFileSync(attribute, "tslosetup\n");
        body({ shell, messages, words: "", attribute, program: "/missing/program" });
      });

    test("sends its message in one piece if the daemon is killed", (scene) => {
      const { disconnect } = messages;
      assertEquals(watch(scene), { sent: [disconnect], logged: `${LINE}\n`, printed: "" });
      assertEquals(watch({ ...scene, attribute: undefined }).sent, [disconnect]);
    });

    test("sends nothing for a device that is another's by now", (scene) => {
      assertEquals(watch({ ...scene, attribute: "/dev/null" }).sent, []);
    });

    test("does nothing if the daemon ends in order", (scene) => {
      assertEquals(watch({ ...scene, words: DONE }), { sent: [], logged: "", printed: "" });
    });

    test("has the device go with its last close, as often as the daemon says so", (scene) => {
      const { disconnect, leave } = messages;
      const seen = watch({ ...scene, words: `${LEAVE}${LEAVE}${DONE}` });
      assertEquals(seen, { sent: [leave, leave], logged: "", printed: "" });
      // Each may be on its way by another program.
      const { sent } = watch({ ...scene, words: LEAVE });
      assertEquals(sent.toSorted(byFirst), [leave, disconnect].toSorted(byFirst));
    });

    test("says so where there is nothing to disconnect", (scene) => {
      assertEquals(watch({ ...scene, messages: undefined }).logged, `${LINE}\n`);
      const { printed } = watch({ ...scene, messages: undefined, program: "/bin/echo" });
      assertEquals(printed, "argument --internal-reap /dev/nbd7\n");
    });

    test("leaves all to the program, if that is still there", (scene) => {
      const seen = watch({ ...scene, program: "/bin/echo" });
      assertEquals(seen, { sent: [], logged: "", printed: "argument --internal-reap /dev/nbd7\n" });
    });

    const helper = (folder: TempDirectory, end: string): string => {
      const path = folder.file("helper");
      Deno.writeTextFileSync(
        path,
        `#!/bin/sh\necho "$2$4"\n[ "$2" = --internal-reap ] || ${end}\n`,
      );
      Deno.chmodSync(path, 0o755);
      return path;
    };
    const calls = (scene: Scene, end: string): string[] => {
      using folder = new TempDirectory();
      const { sent, printed } = watch({
        ...scene,
        program: helper(folder, end),
        isRevivable: true,
      });
      assertEquals(sent, []);
      const words = printed.trim().split("\n").filter((line) => !line.includes("Killed"));
      return words.map((argument) => argument.replace("--internal-", ""));
    };

    test("has another daemon started, and is no longer needed then", (scene) => {
      assertEquals(calls(scene, "exit 0"), ["revive"]);
    });

    test("gives a device up if no other daemon can be started", (scene) => {
      assertEquals(calls(scene, "exit 1"), ["revive", "reap"]);
      assertEquals(calls(scene, "exit 2"), ["revive", "reaptold"]);
      assertEquals(calls({ ...scene, messages: undefined }, "exit 2"), ["revive"]);
    });

    test("tries again, but not for ever, if what starts the other daemon is killed", (scene) => {
      assertEquals(calls(scene, "kill -9 $$"), [...Array(5).fill("revive"), "reap"]);
    });

    test("starts no other daemon if the first one has ended in order", (scene) => {
      assertEquals(calls({ ...scene, words: DONE }, "exit 0"), [""]);
    });
  }
}
