/**
 * qemu-nbd as another user of an image.
 *
 * @module
 */
import { eventually } from "./patience.ts";
import { isRunning, mustSoon } from "./program.ts";
import type { TempDirectory } from "./tools.ts";

/** A server that has the image open until the end of the scope. */
export class QemuNbd implements AsyncDisposable {
  private constructor(readonly pid: number) {}

  /** Returns when the image is open: before that, there is a socket already. */
  static async start(
    folder: TempDirectory,
    image: string,
    ...options: readonly string[]
  ): Promise<QemuNbd> {
    const pidFile = folder.file("qemu-nbd.pid");
    const where = ["--fork", "--pid-file", pidFile, "-k", folder.file("qemu-nbd")];
    await mustSoon("qemu-nbd", ...where, "-f", "raw", "--persistent", ...options, image);
    return new QemuNbd(Number(Deno.readTextFileSync(pidFile)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(this.pid);
    await eventually(() => !isRunning(this.pid), "qemu-nbd to end");
  }
}
