/**
 * A guest: an emulated machine with a console and, on its second serial port, somebody who runs what
 * the test asks for (guest/agent.sh).
 *
 * @module
 */
import { eventually } from "../../support/patience.ts";
import { TempDirectory } from "../../support/tools.ts";
import type { Kernel } from "./debian.ts";

const EMULATOR = "qemu-system-x86_64";
/** Without string instructions that are fast in silicon only: emulated, they copy byte by byte. */
const PROCESSOR = "max,-erms,-fsrm";
/**
 * Not what is measured as the machine starts: where this one is busy then, the guest's time would run
 * several times too fast, and its units would be given up. HPET is told how fast it runs.
 */
const CLOCK = ["clocksource=hpet", "tsc=unstable", "no_timer_check"];
/** What an initramfs says when it has found no root, and the kernel when it ends. */
const GIVEN_UP = /Kernel panic|Rebooting automatically|Dropping to a shell|Entering emergency mode/;
const LAST_WORDS = 60;
/** What has come with the initramfs's tools, and asks for modules that the root has not. */
const MASKED = [
  ...["nfs-client.target", "rpcbind.service", "rpcbind.socket"],
  ...["proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service"],
];

/** The memory of each guest. */
export const MEMORY_MIB = 1024;

/** What a guest is started with. */
export interface GuestOptions {
  readonly kernel: Kernel;
  readonly initramfs: string;
  /** Words of the kernel command line, besides those for the console. */
  readonly words: readonly string[];
  /** Files that it has as its virtio disks, vda first. */
  readonly disks?: readonly string[];
  /** Folders that it has over 9p, by their tags. */
  readonly shares?: Readonly<Record<string, string>>;
  /** What the emulator is started by: what puts it into another network. */
  readonly launcher?: readonly string[];
  /** Further arguments of the emulator. */
  readonly more?: readonly string[];
}

/** A running guest; killed at the end of its scope. */
export class Guest implements AsyncDisposable {
  readonly #folder = new TempDirectory();
  readonly #console: SerialPort;
  readonly #agent: SerialPort;
  readonly #emulator: Deno.ChildProcess;
  #hasEnded = false;
  #readyTimes = 0;

  constructor(options: GuestOptions) {
    this.#console = new SerialPort(this.#folder.file("console"));
    this.#agent = new SerialPort(this.#folder.file("agent"));
    const [program = EMULATOR, ...before] = [...(options.launcher ?? []), EMULATOR];
    this.#emulator = new Deno.Command(program, {
      args: [...before, ...machineArguments(options, [this.#console.path, this.#agent.path])],
      stdin: "null",
    }).spawn();
    void this.#emulator.status.then(() => this.#hasEnded = true);
  }

  /** All that was on the console so far. */
  get console(): string {
    return this.#console.text;
  }

  /** Waits until it has come up, for the first time or again. */
  async isUp(): Promise<void> {
    const wanted = ++this.#readyTimes;
    await this.#until(
      () => this.#agent.text.split("@ready").length > wanted,
      "the guest to come up",
    );
  }

  /** Waits for something on the console. */
  async says(pattern: RegExp): Promise<void> {
    await this.#until(() => pattern.test(this.console), `${pattern} on the console`);
  }

  /**
   * Runs a line of shell that has to succeed.
   *
   * @returns what it printed
   */
  async run(line: string): Promise<string> {
    const { text, code } = await this.try(line);
    if (code !== 0) throw new Error(`${line}: exit code ${code}\n${text}\n${this.#lastWords()}`);
    return text;
  }

  /** Runs a line of shell. */
  async try(line: string): Promise<{ text: string; code: number }> {
    const start = this.#agent.text.length;
    await this.send(line);
    const end = /@done (\d+)\n$/;
    await this.#until(() => end.test(this.#agent.text.slice(start)), `the end of ${line}`);
    const text = this.#agent.text.slice(start);
    const found = end.exec(text);
    return { text: text.slice(0, found?.index), code: Number(found?.[1]) };
  }

  /** Has it run a line that has no end: `reboot`. */
  send(line: string): Promise<void> {
    return this.#agent.write(`${line}\n`);
  }

  /** Waits until it has switched itself off. */
  async hasEnded(): Promise<void> {
    await eventually(() => this.#hasEnded, "the guest to switch itself off");
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const isOver = (): boolean => condition() || this.#hasEnded || GIVEN_UP.test(this.console);
    const waiting = eventually(isOver, what).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#lastWords()}`);
    });
    await waiting;
    if (!condition()) throw new Error(`no more use waiting for ${what}\n${this.#lastWords()}`);
  }

  #lastWords(): string {
    return this.console.split("\n").slice(-LAST_WORDS).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#emulator.kill("SIGKILL");
    await this.#emulator.status;
    await this.#console.close();
    await this.#agent.close();
    this.#folder[Symbol.dispose]();
  }
}

function machineArguments(options: GuestOptions, serial: readonly string[]): string[] {
  const { kernel, initramfs, words, disks = [], shares = {}, more = [] } = options;
  const line = [
    "console=ttyS0",
    "panic=-1",
    ...CLOCK,
    "systemd.show_status=yes",
    ...words,
  ];
  const masked = MASKED.map((unit) => `systemd.mask=${unit}`);
  return [
    ...["-accel", "tcg,thread=multi", "-smp", "2", "-cpu", PROCESSOR, "-m", `${MEMORY_MIB}M`],
    ...["-nodefaults", "-display", "none"],
    ...serial.flatMap((path, n) => [
      ...["-chardev", `socket,id=serial${n},path=${path}`, "-serial", `chardev:serial${n}`],
    ]),
    ...["-kernel", kernel.image, "-initrd", initramfs, "-append", [...line, ...masked].join(" ")],
    ...disks.flatMap((file) => ["-drive", `file=${file},format=raw,if=virtio,cache=writeback`]),
    ...Object.entries(shares).flatMap(([tag, path]) => [
      ...["-virtfs", `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap`],
    ]),
    ...more,
  ];
}

/** A serial port: the emulator connects to a socket here. */
class SerialPort {
  readonly #listener: Deno.UnixListener;
  readonly #connection: Promise<Deno.UnixConn>;
  readonly #reading: Promise<void>;
  #text = "";

  constructor(readonly path: string) {
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#connection = this.#listener.accept();
    this.#reading = this.#read().catch(() => {});
  }

  get text(): string {
    return this.#text;
  }

  async #read(): Promise<void> {
    const connection = await this.#connection;
    for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
      this.#text += chunk.replaceAll("\r", "");
    }
  }

  async write(text: string): Promise<void> {
    await (await this.#connection).write(new TextEncoder().encode(text));
  }

  async close(): Promise<void> {
    this.#listener.close();
    await this.#reading;
  }
}
