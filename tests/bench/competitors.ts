/**
 * The servers under test. To add one, add an entry: the harness knows them by {@link Competitor} only.
 *
 * @module
 */
import { type BenchImage, cacheFolder } from "./images.ts";
import { hasTool, must, run } from "../support/tools.ts";
import { spawnServer, waitForSocket } from "./spawn_server.ts";

/** A server that answers at `uri` until it is stopped. */
export interface Server {
  readonly uri: string;
  /** The process whose CPU time and memory count; undefined where the kernel does it alone. */
  readonly pid: number | undefined;
  /** When it was ready, by `performance.now()`. */
  readonly readyAt: number;
  stop(): Promise<void>;
}

/** A program that can serve an image. */
export interface Competitor {
  readonly name: string;
  /** Whether it serves the image itself, not a raw one with the same contents. */
  readonly knowsQcow: boolean;
  /** Whether it can be written to, though its image is not. */
  readonly isCovered?: true;
  /** Why it cannot take part here, if so. */
  missing(): string | undefined;
  /** Serves `image`, read-only, at a Unix socket at path `socket`. */
  start(image: BenchImage, socket: string): Promise<Server>;
}

/** The program all this is about. */
export const OURS = "tslosetup";
/** The competitor all others are compared to. */
export const BASELINE = "qemu-nbd";
/** The practical ceiling: see reference.c. */
export const REFERENCE = "c-reference";

/** An older version of it. */
export const BEFORE = "tslosetup-before";

/** All known competitors. `binary` is the compiled tslosetup, `before` an older one, if there is one. */
export function competitors(binary: string, before?: string): readonly Competitor[] {
  const older = before === undefined ? [] : [tslosetup(before, BEFORE)];
  return [tslosetup(binary, OURS), ...older, qemuNbd(), nbdkitRaw(), reference()];
}

function uriOf(socket: string): string {
  return `nbd+unix:///?socket=${socket}`;
}

function tslosetup(binary: string, name: string): Competitor {
  return {
    name,
    knowsQcow: true,
    missing: () => isFile(binary) ? undefined : `${binary} is missing: run \`deno task compile\``,
    async start(image, socket): Promise<Server> {
      const format = image.format === "raw" ? "RAW" : "auto";
      const access = image.overlay ?? (image.isWritten ? undefined : "-r");
      const options = access === undefined ? [] : [access];
      await must(binary, "--socket", socket, "--file-fmt-type", format, ...options, image.path);
      const readyAt = performance.now();
      const stop = async (): Promise<void> => {
        await run(binary, "-d", socket);
      };
      try {
        const pid = pidInListing(await must(binary, "-O", "NAME,PID"), socket);
        return { uri: uriOf(socket), pid, readyAt, stop };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}

/** The daemon's process, from the line of a listing about `socket`: PID is the last column. */
export function pidInListing(listing: string, socket: string): number {
  const line = listing.split("\n").find((line) => line.startsWith(`${socket} `));
  const pid = Number(line?.trimEnd().split(/\s+/).at(-1) ?? NaN);
  if (!Number.isInteger(pid)) {
    throw new Error(`no process for ${socket} in this listing:\n${listing}`);
  }
  return pid;
}

function qemuNbd(): Competitor {
  return {
    name: BASELINE,
    knowsQcow: true,
    missing: () => hasTool("qemu-nbd") ? undefined : "qemu-nbd is not installed",
    start: (image, socket) => {
      const access = image.overlay ?? (image.isWritten ? undefined : "--read-only");
      const options = [
        "--persistent",
        "--shared=16",
        "--discard=unmap",
        `--format=${image.format}`,
        ...access === undefined ? [] : [access],
      ];
      return started(socket, "qemu-nbd", [...options, `--socket=${socket}`, image.path]);
    },
  };
}

/** nbdkit knows no qcow2: it serves the raw image with the same contents. */
function nbdkitRaw(): Competitor {
  return {
    name: "nbdkit-raw",
    knowsQcow: false,
    missing: () => hasTool("nbdkit") ? undefined : "nbdkit is not installed",
    start: (image, socket) => {
      const access = image.isWritten ? [] : ["--readonly"];
      const options = ["--foreground", ...access, `--unix=${socket}`];
      return started(socket, "nbdkit", [...options, "file", image.rawPath]);
    },
  };
}

/** The least a server can do, in C, on the raw image with the same contents. */
function reference(): Competitor {
  let built: Promise<string> | undefined;
  return {
    name: REFERENCE,
    knowsQcow: false,
    missing: () => hasTool("cc") ? undefined : "cc is not installed",
    start: async (image, socket) => {
      built ??= buildReference();
      return await started(socket, await built, [socket, image.rawPath]);
    },
  };
}

async function buildReference(): Promise<string> {
  const program = `${cacheFolder()}/reference`;
  const source = new URL("./reference.c", import.meta.url).pathname;
  await must("cc", "-O2", "-pthread", "-o", program, decodeURIComponent(source));
  return program;
}

/** A server that runs as our child until it is told to end. */
async function started(socket: string, program: string, args: string[]): Promise<Server> {
  const child = spawnServer(program, args);
  try {
    await waitForSocket(socket, child.ended);
  } catch (error) {
    await child.stop();
    throw error;
  }
  const readyAt = performance.now();
  return { uri: uriOf(socket), pid: child.pid, readyAt, stop: () => child.stop() };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
