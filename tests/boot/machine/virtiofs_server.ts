/**
 * A folder that a guest has by virtiofs: the emulator's own server, and what the emulator is told.
 *
 * @module
 */
import type { Program } from "../../support/packages.ts";
import { eventually } from "../../support/patience.ts";
import { TempDirectory } from "../../support/tools.ts";
import { MEMORY_MIB } from "./guest.ts";

/** Debian's emulator has it where only itself looks. */
export const VIRTIOFS_SERVER = "/usr/lib/qemu/virtiofsd" satisfies Program;

/** Running until the end of its scope. */
export class VirtiofsServer implements AsyncDisposable {
  readonly #folder = new TempDirectory();
  readonly #socket = this.#folder.file("socket");
  readonly #server: Deno.ChildProcess;

  private constructor(folder: string) {
    const where = [`--socket-path=${this.#socket}`, "-o", `source=${folder},sandbox=chroot`];
    this.#server = new Deno.Command(VIRTIOFS_SERVER, { args: [...where, "-f"], stdin: "null" })
      .spawn();
  }

  /** Serves a folder to one guest. */
  static async start(folder: string): Promise<VirtiofsServer> {
    const server = new VirtiofsServer(folder);
    await eventually(() => server.#isListening(), "virtiofsd");
    return server;
  }

  /** What the emulator is told: the memory is the server's, too. */
  emulatorArguments(tag: string): string[] {
    return [
      ...["-object", `memory-backend-memfd,id=memory,size=${MEMORY_MIB}M,share=on`],
      ...["-machine", "memory-backend=memory", "-chardev", `socket,id=folder,path=${this.#socket}`],
      ...["-device", `vhost-user-fs-pci,chardev=folder,tag=${tag}`],
    ];
  }

  #isListening(): boolean {
    return [...Deno.readDirSync(this.#folder.path)].some(({ name }) => name === "socket");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It ends with its guest.
    try {
      this.#server.kill("SIGKILL");
    } catch {
      // It has.
    }
    await this.#server.status;
    this.#folder[Symbol.dispose]();
  }
}
