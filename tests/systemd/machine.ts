/**
 * A machine with a systemd of its own: a small Debian, made once and kept, in a container of
 * systemd-nspawn that has this machine's loop and FUSE drivers. Where it is written to is gone at the end.
 *
 * @module
 */
import { eventually, pause } from "../support/patience.ts";
import { must, type Output, run, TempDirectory } from "../support/tools.ts";

const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`
}/tslosetup-systemd`;
const NSPAWN = "systemd-nspawn";
const SUITE = "bookworm";
const PACKAGES =
  "systemd,systemd-sysv,dbus,libpam-systemd,udev,kmod,e2fsprogs,fdisk,mount,login,qemu-utils";
const INSTALLER = new URL("../../install.sh", import.meta.url).pathname;

/** What a shell script prints, which has to succeed. */
export function shell(script: string, ...args: string[]): Promise<string> {
  return must("sh", "-euc", script, "sh", ...args);
}

/** Why there can be no such machine here, if so. */
export function missingForMachines(): string | undefined {
  if (Deno.uid() !== 0) return "not root";
  if (Deno.env.get("TSLOSETUP_BINARY") === undefined) return "TSLOSETUP_BINARY names no binary";
  const programs = ["systemd-nspawn", "mmdebstrap", "journalctl"];
  const found = new Deno.Command("sh", { args: ["-c", `command -v ${programs.join(" ")}`] })
    .outputSync();
  return found.success ? undefined : `not all of ${programs.join(", ")} are installed`;
}

/** The root file system as the packages have it; made if there is none yet. */
async function pristineRoot(): Promise<string> {
  const script = `
    mkdir -p "$1"; cd "$1"; [ -e root.made ] || {
      rm -rf root; mkdir root
      mmdebstrap --quiet --variant=minbase --include=${PACKAGES} ${SUITE} - >root.tar
      tar -xf root.tar -C root --exclude='./dev/*'; rm root.tar; : >root.made
    }`;
  await shell(script, CACHE);
  return `${CACHE}/root`;
}

export class Machine implements AsyncDisposable {
  readonly #folder: TempDirectory;
  /** Its root folder, as it is seen here. */
  readonly root: string;
  #container: Deno.ChildProcess | undefined;
  #init = 0;

  private constructor(folder: TempDirectory) {
    this.#folder = folder;
    this.root = folder.file("root");
  }

  /** One that is not running yet, with the program installed. */
  static async make(): Promise<Machine> {
    const machine = new Machine(new TempDirectory());
    const pristine = await pristineRoot();
    const script = `
      cd "$1"; mkdir root layer; mount -t tmpfs tmpfs layer; mkdir layer/upper layer/work
      mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/layer/upper,workdir=$1/layer/work" root
      : >root/etc/machine-id; mkdir -p root/var/log/journal root/mnt/a root/mnt/b
      cp "$TSLOSETUP_BINARY" release; sha256sum release >release.sha256
      DESTDIR=$1/root PREFIX=/usr/local TSLOSETUP_URL=file://$1/release sh "$3"`;
    await shell(script, machine.#folder.path, pristine, INSTALLER);
    return machine;
  }

  write(path: string, text: string): void {
    Deno.mkdirSync(`${this.root}${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(this.root + path, text);
  }

  /** Starts it, and waits until all has been started that is to be. */
  async boot(): Promise<void> {
    this.#container = new Deno.Command(NSPAWN, {
      args: [
        ...["--quiet", "--boot", `--directory=${this.root}`, "--register=no", "--keep-unit"],
        ...[`--machine=test${Deno.pid}`, "--console=pipe", "--capability=all"],
        ...["--bind=/dev/fuse", "--bind=/dev/loop-control"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#init = 0;
    for (let state = ""; !/running|degraded/.test(state); await pause(100)) {
      this.#init ||= Number((await run("sh", "-c", `pgrep -P ${this.#container.pid}`)).stdout) || 0;
      if (this.#init > 0) state = (await this.#enter("systemctl", "is-system-running")).stdout;
    }
  }

  #enter(...command: string[]): Promise<Output> {
    return run("nsenter", `--target=${this.#init}`, "--all", ...command);
  }

  /** Runs a script as a unit of its own, which has to succeed; returns what it printed. */
  async unit(script: string, ...properties: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryUnit(script, ...properties);
    if (code !== 0) {
      const journal = await this.#enter("journalctl", "--no-pager", "--lines=20");
      throw new Error(`${script} exited ${code}: ${stderr}${stdout}${journal.stdout}`);
    }
    return stdout.trim();
  }

  tryUnit(script: string, ...properties: string[]): Promise<Output> {
    const words = ["--wait", "--pipe", "--quiet", "--collect"];
    const set = properties.map((property) => `--property=${property}`);
    return this.#enter("systemd-run", ...words, ...set, "sh", "-euc", script);
  }

  /** Ends it as `systemctl poweroff` does, and returns what its journal has of that. */
  async powerOff(): Promise<string> {
    const container = this.#container;
    if (container === undefined) throw new Error("it does not run");
    await this.unit("journalctl --sync");
    await this.#enter("systemctl", "--no-block", "poweroff");
    await container.status;
    this.#container = undefined;
    return await shell('journalctl --no-pager -D "$1/var/log/journal" -b', this.root);
  }

  /** Lines of its journal since it was booted. */
  journal(): Promise<string> {
    return this.unit("journalctl --sync; journalctl --no-pager -b");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#container !== undefined) await this.powerOff();
    await shell('cd "$1"; umount root; umount layer', this.#folder.path);
    this.#folder[Symbol.dispose]();
  }
}

/** Waits until a script succeeds in a machine. */
export async function becomes(machine: Machine, script: string): Promise<void> {
  let isSo = false;
  for (let tries = 0; !isSo && tries < 100; tries++, await pause(100)) {
    isSo = (await machine.tryUnit(script)).code === 0;
  }
  await eventually(() => isSo, script);
}
