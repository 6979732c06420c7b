/**
 * mount(8) and umount(8) with the helpers under test, in a mount namespace, with which all that is left ends.
 *
 * @module
 */
import { shellWord } from "../../../src/cli/words/shell_word.ts";
import { MountNamespace, NAMESPACE_TOOLS } from "../../support/mount_namespace.ts";
import { bindStates, programCommand } from "../../support/program.ts";
import { besideOthers } from "./beside_others.ts";
import { must, type Output, run, TempDirectory } from "../../support/tools.ts";

export const MOUNT_TOOLS = [...NAMESPACE_TOOLS, "mkfs.ext4", "qemu-img"] as const;

export class Mounting implements AsyncDisposable {
  private constructor(
    readonly folder: TempDirectory,
    readonly namespace: MountNamespace,
  ) {}

  static async make(): Promise<Mounting> {
    const folder = new TempDirectory();
    const program = programCommand().map(shellWord).join(" ");
    for (const name of ["mount", "umount"]) {
      const script = `#!/bin/sh\nexec ${program} --internal-${name} "$@"\n`;
      await Deno.writeTextFile(folder.file(`${name}.tslosetup`), script, { mode: 0o755 });
    }
    for (const name of ["others", "mnt", "second"]) Deno.mkdirSync(folder.file(name));
    const added = { others: folder.file("others"), add: `${folder.path}/*mount.tslosetup` };
    const script = `${bindStates()} && ${besideOthers("/sbin", added)}`;
    const namespace = await MountNamespace.make(script);
    return new Mounting(folder, namespace);
  }

  /** Where images are mounted. */
  get point(): string {
    return this.folder.file("mnt");
  }

  /** Runs a command where it finds the helpers. */
  run(...command: readonly string[]): Promise<Output> {
    const [program = "", ...args] = this.namespace.command();
    return run(program, ...args, ...command);
  }

  async must(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(" ")} exited ${code}: ${stderr}`);
    return stdout;
  }

  mount(image: string, options: string, folder = this.point): Promise<Output> {
    return this.run("mount", "-t", "tslosetup", "-o", options, image, folder);
  }

  /** An image with a file system from that place on. */
  async image(name: string, format: string, { offset = 0 } = {}): Promise<string> {
    const [disk, image] = [this.folder.file(`${name}.disk`), this.folder.file(name)];
    await must("truncate", "-s", "16M", disk);
    await must("mkfs.ext4", "-q", "-F", "-E", `offset=${offset}`, disk, "8M");
    await must("qemu-img", "convert", "-f", "raw", "-O", format, disk, image);
    return image;
  }

  /** Writes to what is mounted, and takes it down. */
  async writeAndLeave(): Promise<void> {
    await this.must("sh", "-c", 'echo words >"$1"', "sh", `${this.point}/file`);
    await this.must("umount", this.point);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("umount", "--quiet", "--recursive", this.point, this.folder.file("second"));
    await this.namespace[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}
