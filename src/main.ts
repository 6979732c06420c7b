/**
 * Entry of the program. Each way to run it loads only what it needs: `--help` opens no library.
 *
 * @module
 */
import {
  DAEMON_ARGUMENT,
  FREEZER_ARGUMENT,
  LAZY_DETACH_ARGUMENT,
  REAP_ARGUMENT,
  REVIVE_ARGUMENT,
} from "./daemon/hidden_arguments.ts";
import { environment } from "./sys/environment.ts";
import { reasonOf } from "./sys/reason.ts";

/** The hidden first argument that prints a man page or completions, for install.sh. */
const GENERATE_ARGUMENT = "--internal-generate";

/** The hidden first argument of what mount(8) runs: /sbin/mount.tslosetup. */
const MOUNT_ARGUMENT = "--internal-mount";

/** Likewise, of what umount(8) runs. */
const UMOUNT_ARGUMENT = "--internal-umount";

/** The hidden first argument by which completions ask for words. */
const COMPLETE_ARGUMENT = "--internal-complete";

async function main(args: readonly string[]): Promise<number> {
  const [first, second, third] = args;
  const runtimeDirectory = environment("XDG_RUNTIME_DIR");
  if (first === DAEMON_ARGUMENT) {
    const { runDaemon } = await import("./daemon/main.ts");
    return reporting(() => runDaemon(runtimeDirectory));
  }
  if (first === LAZY_DETACH_ARGUMENT && second !== undefined) {
    const { detachLazily } = await import("./device/let_go.ts");
    return reporting(() => detachLazily(second, runtimeDirectory));
  }
  if (first === REAP_ARGUMENT && second !== undefined) {
    const { reap } = await import("./device/reap.ts");
    return reporting(() => reap(second, { isTold: third !== undefined, runtimeDirectory }));
  }
  if (first === REVIVE_ARGUMENT && second !== undefined) {
    const { revive } = await import("./device/revive.ts");
    return reporting(() => revive(second));
  }
  if (first === FREEZER_ARGUMENT && second !== undefined) {
    const { holdFrozen } = await import("./device/frozen_mounts.ts");
    return reporting(() => holdFrozen(Number(second)));
  }
  if (first === GENERATE_ARGUMENT && second !== undefined) {
    const { generate } = await import("./cli/docs/generate.ts");
    return reporting(() => generate(second));
  }
  if (first === MOUNT_ARGUMENT) {
    const { mount } = await import("./cli/mount.ts");
    return await mount(args.slice(1), runtimeDirectory);
  }
  if (first === UMOUNT_ARGUMENT) {
    const { umount } = await import("./cli/umount.ts");
    return umount(args.slice(1), runtimeDirectory);
  }
  if (first === COMPLETE_ARGUMENT && second !== undefined) {
    const { complete } = await import("./cli/complete.ts");
    return await complete({ kind: second, image: third ?? "", runtimeDirectory });
  }
  const { runCommand } = await import("./cli/run.ts");
  return await runCommand(args, runtimeDirectory);
}

/** What goes wrong where no command line is run: one line, as everywhere. */
async function reporting(run: () => number): Promise<number> {
  try {
    return run();
  } catch (error) {
    const { complain } = await import("./sys/console.ts");
    complain(reasonOf(error));
    return 1;
  }
}

Deno.exit(await main(Deno.args));
