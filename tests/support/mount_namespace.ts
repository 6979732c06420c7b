/**
 * A mount namespace of its own: a container's /dev, or a chroot without /sys, while this machine keeps
 * its own. It lives until the end of the scope, so that paths in it can be told from outside.
 *
 * @module
 */

/** A container's /dev: a tmpfs in which nobody makes nodes. */
export const BARE_DEV = "mount -t tmpfs none /mnt && " +
  "cp -a /dev/null /dev/zero /dev/urandom /dev/loop-control /dev/fuse /mnt && " +
  "mount --rbind /mnt /dev";
/** A chroot in which packages are built. */
export const WITHOUT_SYSFS = "umount --lazy /sys";
/** A container that has something else there. */
export const FAKE_SYSFS = "mount -t tmpfs none /sys && mkdir -p /sys/block /sys/dev/block";

const READY = "ready";
/** Lives as long as its standard input, and so ends with a test run that is killed. */
export const HOLDING = "exec cat";

/** Programs that making and entering one needs. */
export const NAMESPACE_TOOLS = ["unshare", "nsenter", "mount", "umount"] as const;

export class MountNamespace implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;

  private constructor(holder: Deno.ChildProcess) {
    this.#holder = holder;
  }

  /** @param script what makes it different, as a shell command */
  static async make(script: string): Promise<MountNamespace> {
    const args = ["--mount", "sh", "-c", `${script} && echo ${READY} && ${HOLDING}`];
    const holder = new Deno.Command("unshare", { args, stdout: "piped", stdin: "piped" }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (new TextDecoder().decode(value).trim() === READY) return new MountNamespace(holder);
    await holder.status;
    throw new Error(`no mount namespace could be made by: ${script}`);
  }

  /** What a command begins with to run in it, in that folder. */
  command(folder = "/"): string[] {
    return [...entering(this.#holder.pid, "mount"), "env", "-C", folder];
  }

  /** Where a path of it is to be found from outside. */
  path(inside: string): string {
    return `/proc/${this.#holder.pid}/root${inside}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.stdin.close();
    await this.#holder.status;
  }
}

/**
 * What a command begins with to run in a process's namespaces, and in its folders: the root of a mount
 * namespace would be the one of the system around a chroot.
 */
export function entering(pid: number, ...namespaces: readonly string[]): string[] {
  return ["nsenter", `--target=${pid}`, "--root", "--wd", ...namespaces.map((name) => `--${name}`)];
}
