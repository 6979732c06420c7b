/**
 * A process that holds a state as daemons do, and neither does nor hears anything.
 *
 * @module
 */
import { identityOf, ownSurroundings } from "../../src/daemon/processes.ts";
import { type AttachState, StateStore } from "../../src/daemon/state.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { SIGHUP, SIGINT, SIGTERM } from "../../src/sys/signals.ts";
import { openNull, spawn, waitFor } from "../../src/sys/spawn.ts";
import { eventually } from "./patience.ts";
import { asRoot, isRunning, type Surroundings } from "./program.ts";
import { attachState } from "./states.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

export class DeafDaemon implements Disposable {
  readonly program: Surroundings = asRoot();
  readonly pid: number;

  /** @param what of a state that is not the process's */
  constructor(what: Pick<AttachState, "device" | "transport" | "image"> & Partial<AttachState>) {
    const states = new StateStore(this.program.stateDirectory);
    using file = states.begin();
    using nothing = openNull();
    const fds = [nothing.number, nothing.number, nothing.number, file.fd];
    const blockedSignals = [SIGHUP, SIGINT, SIGTERM];
    this.pid = spawn("/bin/sleep", { argv: ["sleep", "1000"], fds, blockedSignals });
    const { startTime = 0 } = identityOf(this.pid) ?? {};
    const process = { pid: this.pid, startTime, ...ownSurroundings() };
    states.write(attachState({ ...process, imageDevice: [0, 0], imageInode: 0, ...what }), file);
  }

  get isRunning(): boolean {
    return isRunning(this.pid);
  }

  /** Waits until somebody has told it something. */
  async told(): Promise<void> {
    const isTold = (): boolean =>
      !/^ShdPnd:\s*0+$/m.test(Deno.readTextFileSync(`/proc/${this.pid}/status`));
    await eventually(isTold, "a signal");
  }

  [Symbol.dispose](): void {
    Deno.kill(this.pid, "SIGKILL");
    waitFor(this.pid);
  }
}
