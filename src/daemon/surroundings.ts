/**
 * What a daemon has around it, and what it holds of that: the folders it was started among may become
 * empty, or be unmounted, while it serves.
 *
 * @module
 */
import { CommandLineRoom } from "../sys/command_line.ts";
import { ifPossible, SystemError } from "../sys/errno.ts";
import { type Fd, O_PATH, openFile, writeAttribute } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";
import { enterOwnRoot, inFolder, inRunFolder, isInOwnRoot } from "../sys/own_root.ts";
import { baseName, folderOf } from "../sys/paths.ts";
import { removeSocket } from "../sys/sockets.ts";
import { COMMAND_LINE_ROOM_BYTES, type Job } from "./job.ts";
import { ROOT_STATES, StateStore } from "./state.ts";

const PR_SET_NAME = 15;
/** Never killed for memory: what waits for the device would wait for ever (proc(5), oom_score_adj). */
const OOM_NEVER = "-1000";
const RUN = "/run/";

export class Surroundings {
  readonly #job: Job;
  /** Path of the folder of state files, as long as nothing has been withdrawn to. */
  readonly stateDirectory: string;
  readonly #root: number | undefined;
  /** For what it serves to be seen by others. */
  readonly #commandLine = CommandLineRoom.find(COMMAND_LINE_ROOM_BYTES);
  /** The folder of the socket, if that has to be found from the own root. */
  readonly #socketFolder: Fd | undefined;

  /** @param given the root folder that came with the job, if one did, and where the state files are */
  constructor(
    job: Job,
    given: { readonly root: number | undefined; readonly stateDirectory: string },
  ) {
    this.#job = job;
    this.stateDirectory = given.stateDirectory;
    this.#root = given.root;
    const isApart = this.#root !== undefined && job.socket !== undefined;
    this.#socketFolder = isApart ? openFolder(folderOf(job.socket.path)) : undefined;
  }

  /** Lets go of what the command was started in. */
  leave(): void {
    libc().chdir(cString("/"));
    libc().prctl(PR_SET_NAME, addressOf(cString("tslosetup")), 0, 0, 0);
    if (this.#job.transport !== "socket") tryToWrite("/proc/self/oom_score_adj", OOM_NEVER);
  }

  /** Shows others what it serves, and as what. */
  showDevice(device: string): void {
    this.#commandLine?.show(device, this.#job.imagePath);
  }

  /**
   * Withdraws to the own root, if there is one. From now on nothing can be opened by its path: images
   * have to be open by then, and libraries loaded.
   */
  withdraw(): void {
    const root = this.#root;
    if (root === undefined) return;
    // Where it may not, it serves as well; only what is taken away then is missed.
    ifPossible(() => enterOwnRoot(root));
  }

  /** Does something with the state files. */
  withStates<T>(act: (states: StateStore) => T): T {
    if (!isInOwnRoot()) return act(new StateStore(this.stateDirectory));
    return inRunFolder(() => act(new StateStore(ROOT_STATES.slice(RUN.length))));
  }

  /** Removes the socket that was listened on, if there is one. */
  removeSocket(): void {
    const { socket } = this.#job;
    if (socket === undefined) return;
    const folder = this.#socketFolder;
    if (folder === undefined || !isInOwnRoot()) return removeSocket(socket);
    inFolder(folder.number, () => removeSocket({ ...socket, path: baseName(socket.path) }));
  }
}

function openFolder(path: string): Fd | undefined {
  return ifPossible(() => openFile(path, O_PATH));
}

function tryToWrite(path: string, text: string): void {
  try {
    writeAttribute(path, text);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}
