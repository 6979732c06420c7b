/**
 * What the tests of install.sh share: prefixes, releases made of a shell script, small checkouts.
 *
 * @module
 */
import { type Output, run, TempDirectory } from "../support/tools.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SCRIPT = `${ROOT}install.sh`;
const NOBODY = "65534";

/** The checkout these tests lie in. */
export const CHECKOUT: string = ROOT.replace(/\/$/, "");

/** Variables for a run of install.sh. */
export type Environment = Readonly<Record<string, string>>;

/** A folder that any user may enter, with a prefix to install to. */
export class Site extends TempDirectory {
  constructor() {
    super();
    Deno.chmodSync(this.path, 0o755);
  }

  get prefix(): string {
    return this.file("prefix");
  }

  /** Where the program is after an installation. */
  get program(): string {
    return `${this.prefix}/bin/tslosetup`;
  }

  /** Runs the project's install.sh, or that of another checkout. */
  install(environment: Environment = {}, script = SCRIPT, ...args: string[]): Promise<Output> {
    return run("env", ...this.#assignments(environment), "sh", script, ...args);
  }

  /** Runs install.sh as `curl … | sh` does. */
  installPiped(environment: Environment, ...args: string[]): Promise<Output> {
    const command = 'script=$1; shift; cat "$script" | sh -s -- "$@"';
    return run(
      "env",
      ...this.#assignments(environment),
      "sh",
      "-c",
      command,
      "sh",
      SCRIPT,
      ...args,
    );
  }

  #assignments(environment: Environment): string[] {
    const deno = Deno.execPath().replace(/\/[^/]*$/, "");
    const path = `${deno}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`;
    const variables = { PREFIX: this.prefix, PATH: path, ...environment };
    return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  }

  /** Makes a release whose program says `version`, and returns its URL. */
  async release(
    version: string,
    options: { sum?: string; exitCode?: number; sizeBytes?: number; helpers?: "all" } = {},
  ): Promise<string> {
    const path = this.file(`release-${version}`);
    const helpers = options.helpers === undefined ? "" : GENERATED_HELPERS;
    const text = programText(version, options.exitCode ?? 0, helpers);
    await Deno.writeTextFile(path, `${text}#`.padEnd(options.sizeBytes ?? 0, "x"));
    const sum = options.sum ?? await sha256Of(path);
    await Deno.writeTextFile(`${path}.sha256`, `${sum}  tslosetup-linux\n`);
    return `file://${path}`;
  }

  /** Makes a checkout whose compile task is `compile`, and returns its install.sh. */
  async checkout(compile: string): Promise<string> {
    const folder = this.file("checkout");
    await Deno.mkdir(`${folder}/src`, { recursive: true });
    await Deno.copyFile(SCRIPT, `${folder}/install.sh`);
    await Deno.writeTextFile(`${folder}/src/built`, programText("built", 0));
    await Deno.writeTextFile(`${folder}/src/main.ts`, 'console.log("tslosetup from sources");');
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ tasks: { compile } }));
    return `${folder}/install.sh`;
  }

  /** Everything below the prefix, folders excepted, relative to it. */
  async files(): Promise<string[]> {
    const { stdout } = await run("find", this.prefix, "!", "-type", "d", "-printf", "%P\n");
    return stdout.split("\n").filter((line) => line !== "").sort();
  }
}

/** What has a program make the helpers of mount(8). */
const GENERATED_HELPERS = "case $2 in mount | umount) echo '#!/bin/sh'; exit ;; esac\n";

function programText(version: string, exitCode: number, first = ""): string {
  return `#!/bin/sh\n${first}echo tslosetup ${version}\nexit ${exitCode}\n`;
}

async function sha256Of(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** Runs a program with an empty environment; as nobody and without a network where we are root. */
export function runStranded(program: string, ...args: string[]): Promise<Output> {
  const asNobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const drop = Deno.uid() === 0 ? ["unshare", "--net", ...asNobody] : [];
  const [first = "env", ...rest] = [...drop, "env", "-i", program, ...args];
  return run(first, ...rest);
}

/** Serves a release on this machine: its first half at once, the rest when it is told to go on. */
export class SlowServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #told = Promise.withResolvers<void>();

  /** @param sumPath file with the checksum */
  constructor(release: Uint8Array<ArrayBuffer>, sumPath: string) {
    const respond = ({ url }: Request): Response =>
      new Response(url.endsWith(".sha256") ? Deno.readFileSync(sumPath) : this.#body(release));
    const address = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(address, respond);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/tslosetup`;
  }

  goOn(): void {
    this.#told.resolve();
  }

  #body(release: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
    const half = release.length >> 1;
    const told = this.#told.promise;
    return new ReadableStream({
      async start(controller): Promise<void> {
        controller.enqueue(release.subarray(0, half));
        await told;
        controller.enqueue(release.subarray(half));
        controller.close();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goOn();
    await this.#server.shutdown();
  }
}
