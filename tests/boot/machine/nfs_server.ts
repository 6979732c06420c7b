/**
 * An NFS server: NFS-Ganesha in a network of its own, which nothing but guests put there sees.
 *
 * @module
 */
import type { Program } from "../../support/packages.ts";
import { eventually } from "../../support/patience.ts";
import { TempDirectory } from "../../support/tools.ts";

/** What tests with it need besides what guests do. */
export const NFS_SERVER_TOOLS: readonly Program[] = [
  "ganesha.nfsd",
  "rpcbind",
  "unshare",
  "nsenter",
  "ip",
];

/** This machine, for guests in the emulator's own network. */
const ADDRESS = "10.0.2.2";

/** rpcbind has its socket in /run, and NFSv3 is not served without it. */
const SCRIPT = `set -e
mount -t tmpfs run /run
mkdir /run/ganesha "$1/recovery"
ip link set lo up
rpcbind -w
exec ganesha.nfsd -F -L "$1/log" -f "$1/conf" -p "$1/pid"`;

/** How it serves. */
export interface NfsServerOptions {
  /** The folder that it serves, in all versions by its path. */
  readonly folder: string;
  /** What it sends owners as, in version 4. */
  readonly owners: "names" | "numbers";
}

/** Running until the end of its scope. */
export class NfsServer implements AsyncDisposable {
  readonly #folder = new TempDirectory();
  readonly #server: Deno.ChildProcess;
  /** What it serves, as mount(8) has it in guests. */
  readonly share: string;

  private constructor(options: NfsServerOptions) {
    this.share = `${ADDRESS}:${options.folder}`;
    Deno.writeTextFileSync(this.#folder.file("conf"), configuration(options, this.#folder.path));
    this.#server = new Deno.Command("unshare", {
      args: [
        ...["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
        ...["sh", "-c", SCRIPT, "sh", this.#folder.path],
      ],
      stdin: "null",
      stdout: "null",
    }).spawn();
  }

  static async start(options: NfsServerOptions): Promise<NfsServer> {
    const server = new NfsServer(options);
    await eventually(() => server.#log().includes("NFS SERVER INITIALIZED"), "the NFS server");
    return server;
  }

  /** What a guest's emulator is started by, to reach it. */
  get launcher(): readonly string[] {
    return ["nsenter", "-t", String(this.#server.pid), "--net"];
  }

  #log(): string {
    try {
      return Deno.readTextFileSync(this.#folder.file("log"));
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill("SIGKILL");
    await this.#server.status;
    this.#folder[Symbol.dispose]();
  }
}

function configuration({ folder, owners }: NfsServerOptions, own: string): string {
  return `
NFS_CORE_PARAM { Protocols = 3, 4; Enable_NLM = false; Enable_RQUOTA = false; }
NFSV4 {
  Graceless = true; RecoveryBackend = fs; RecoveryRoot = ${own}/recovery;
  Only_Numeric_Owners = ${owners === "numbers"}; Allow_Numeric_Owners = true;
}
EXPORT {
  Export_Id = 1; Path = ${folder}; Pseudo = ${folder}; Access_Type = RW;
  Squash = No_Root_Squash; SecType = sys; Protocols = 3, 4; FSAL { Name = VFS; }
}
LOG { Default_Log_Level = EVENT; }
`;
}
