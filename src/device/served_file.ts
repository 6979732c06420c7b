/**
 * The disk of an image as a file that a daemon of ours serves: the only one of a FUSE file system that
 * is mounted nowhere.
 *
 *     image ── daemon ══ /dev/fuse ══ file
 *
 * Who has the file open holds the file system, and that the daemon: when the last one closes it, all of
 * it goes.
 *
 * @module
 */
import type { Ready } from "../daemon/job.ts";
import type { Launched } from "../daemon/launched.ts";
import { waitUntilGone } from "../daemon/processes.ts";
import { makeKeptMemory } from "../daemon/kept_memory.ts";
import type { UnfinishedFile } from "../daemon/state_file.ts";
import { canWatch, startWatcher } from "../daemon/watcher.ts";
import type { ImageRequest } from "../disk/request.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { diskAttribute, diskSizeBytes } from "../kernel/block_devices.ts";
import { fuseConnectionOf } from "../kernel/fuse_control.ts";
import { cloneFuseDevice, mountFuse, openFuseDevice, openInMount } from "../kernel/fuse_mount.ts";
import { isLinuxSince } from "../kernel/release.ts";
import type { Fd } from "../sys/files.ts";
import { baseName } from "../sys/paths.ts";
import { ignoreInterruptions } from "../sys/signals.ts";
import type { ServedLayout } from "../view/served_layout.ts";
import {
  ABANDON_MS,
  type AttachRequest,
  jobFor,
  patientAnswer,
  readyAnswer,
  reclaimWarnings,
  stateFor,
  threadCount,
} from "./attach_common.ts";

const FILE_SYSTEM_TYPE = "tslosetup";
/** Version of Linux: FUSE_NOTIFY_RESEND (linux/fuse.h). */
const RESENDS_SINCE = [6, 9] as const;

/** How the file is to be served. */
export interface ServedFileOptions {
  readonly transport: "fuse" | "view";
  /** What is asked of the image other than by the command. */
  readonly image?: Partial<ImageRequest>;
  /** What else is to be served besides the disk. */
  readonly servedLayout?: ServedLayout;
}

/** The file, open. Its daemon ends with the scope, unless it was told of a device. */
export class ServedFile implements Disposable {
  readonly file: Fd;
  readonly ready: Ready;
  readonly #request: AttachRequest;
  readonly #transport: ServedFileOptions["transport"];
  readonly #stateFile: UnfinishedFile;
  /** Undefined where no other daemon can take the place of the first one. */
  readonly #kept: Fd | undefined;
  readonly #isWatched = canWatch();
  readonly #launched: Launched;
  readonly #held: DisposableStack;
  #isConfirmed = false;

  /** @throws {Error} if it fails; nothing is left behind then */
  constructor(request: AttachRequest, { transport, image = {}, ...more }: ServedFileOptions) {
    this.#request = request;
    this.#transport = transport;
    using held = new DisposableStack();
    const fuse = openFuseDevice();
    const root = mountFuse(fuse, FILE_SYSTEM_TYPE);
    const threads = threadCount(request.command);
    const clones = Array.from({ length: threads - 1 }, () => cloneFuseDevice(fuse));
    const usual = jobFor(request, { transport, threads });
    const job = { ...usual, ...more, image: { ...usual.image, ...image } };
    // From here on only the daemon has the device: if it dies, the file system does.
    this.#stateFile = held.use(request.states.begin());
    const isRevivable = request.command.revive && isLinuxSince(...RESENDS_SINCE) && this.#isWatched;
    this.#kept = isRevivable ? held.use(makeKeptMemory()) : undefined;
    const descriptors = {
      served: [fuse, ...clones],
      stateFile: this.#stateFile,
      ...(this.#kept === undefined ? {} : { kept: this.#kept }),
    };
    const launching = request.daemons.launch(job, descriptors);
    // Without the file system the daemon has nothing to serve.
    held.defer(() => this.#endUnlessConfirmed());
    held.use(root);
    this.#launched = patientAnswer(launching, request);
    this.ready = readyAnswer(this.#launched, request);
    const path = diskPath(request.imagePath).slice(1);
    this.file = held.use(openInMount(root, path, this.ready));
    this.#held = held.move();
  }

  /** What there is to be said of a device that is made of it. */
  get warnings(): readonly string[] {
    return reclaimWarnings(this.#launched, this.ready);
  }

  /**
   * Writes the state of the loop device that is made of it, and tells the daemon of that.
   *
   * @throws {SystemError} if the state cannot be written
   */
  confirm(device: string): void {
    const name = baseName(device);
    const diskSequence = diskAttribute(name, "diskseq");
    const served = { launched: this.#launched, ready: this.ready };
    const state = stateFor(this.#request, served, {
      device,
      transport: this.#transport,
      fuseConnection: fuseConnectionOf(this.file),
      sizeBytes: diskSizeBytes(name),
      ...(diskSequence === undefined ? {} : { diskSequence }),
    });
    ignoreInterruptions();
    // From here on, the session outlives a daemon that is killed: nothing may be asked of that any more.
    using heritage = this.#launched.heritage();
    this.#request.states.write(state, this.#stateFile);
    if (this.#isWatched) startWatcher(state, { watch: this.#launched.watch, heritage });
    this.#launched.confirm(device);
    this.#isConfirmed = true;
  }

  /** Lets go of the file, and so of the daemon, unless a device has the file. */
  [Symbol.dispose](): void {
    this.#held[Symbol.dispose]();
  }

  #endUnlessConfirmed(): void {
    const launched: Launched | undefined = this.#launched;
    if (this.#isConfirmed || launched === undefined) return;
    launched.abandon();
    waitUntilGone(launched.process, ABANDON_MS);
  }
}
