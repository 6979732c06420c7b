/**
 * Kernel block devices under test: a loop device, with direct I/O, on a file of a FUSE file system.
 *
 * @module
 */
import { hasTool, must, run } from "../support/tools.ts";
import { type Competitor, pidInListing, type Server } from "./competitors.ts";
import type { BenchImage } from "./images.ts";
import { spawnServer } from "./spawn_server.ts";
import { setTimeout as delay } from "node:timers/promises";

const QEMU = "qemu-storage-daemon";
const READY_WITHIN_MILLIS = 10_000;

/** The competitor all others are compared to. */
export const FUSE_BASELINE = "qemu-fuse";

/** How both devices' queues are set up: what tslosetup does, done for the other as well. */
const QUEUE = { scheduler: "none", max_sectors_kb: "1024", read_ahead_kb: "1024" } as const;

/** All known ways to a device over FUSE. `binary` is the compiled tslosetup. */
export function fuseCompetitors(binary: string): readonly Competitor[] {
  return [tslosetupDevice(binary, "fuse"), qemu()];
}

/** Why no devices can be compared here, if so. */
export function missingForDevices(): string | undefined {
  if (Deno.uid() !== 0) return "loop devices are for root only";
  return hasTool("losetup") ? undefined : "losetup is not installed";
}

/** Loop devices of tslosetup, called `tslosetup-TRANSPORT`. */
export function tslosetupDevice(binary: string, transport: "fuse" | "view"): Competitor {
  return {
    name: `tslosetup-${transport}`,
    knowsQcow: true,
    missing: missingForDevices,
    async start(image): Promise<Server> {
      const format = image.format === "qcow2" ? "QCOW" : "RAW";
      const how = ["--transport", transport, "-r", "--file-fmt-type", format];
      const device = (await must(binary, ...how, "--find", "--show", image.path)).trim();
      const readyAt = performance.now();
      const stop = async (): Promise<void> => {
        await run(binary, "-d", device);
      };
      if (transport === "view") return { uri: device, pid: undefined, readyAt, stop };
      try {
        const pid = pidInListing(await must(binary, "-O", "NAME,PID"), device);
        return { uri: device, pid, readyAt, stop };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}

function qemu(): Competitor {
  return {
    name: FUSE_BASELINE,
    knowsQcow: true,
    missing: () => missingForDevices() ?? (hasTool(QEMU) ? undefined : `${QEMU} is not installed`),
    start: startQemu,
  };
}

/** @param file where qemu mounts its export, a file of its own */
async function startQemu(image: BenchImage, file: string): Promise<Server> {
  Deno.writeFileSync(file, new Uint8Array());
  const child = spawnServer(QEMU, [
    ...["--blockdev", `driver=file,node-name=file,read-only=on,filename=${image.path}`],
    ...["--blockdev", `driver=${image.format},node-name=disk,read-only=on,file=file`],
    ...["--export", `type=fuse,id=export,node-name=disk,mountpoint=${file},writable=off`],
  ]);
  try {
    await waitForSize(file, { sizeBytes: image.sizeBytes, ended: child.ended });
    const how = ["--read-only", "--direct-io=on", "--find", "--show"];
    const device = (await must("losetup", ...how, file)).trim();
    setUpQueue(device);
    const readyAt = performance.now();
    const stop = async (): Promise<void> => {
      await run("losetup", "--detach", device);
      await child.stop();
    };
    return { uri: device, pid: child.pid, readyAt, stop };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** Waits until the disk has been mounted over the empty file. */
async function waitForSize(
  file: string,
  { sizeBytes, ended }: { sizeBytes: number; ended: Promise<string> },
): Promise<void> {
  const end: { reason?: string } = {};
  ended.then((reason) => end.reason = reason);
  for (const deadline = Date.now() + READY_WITHIN_MILLIS; Date.now() < deadline;) {
    if (Deno.statSync(file).size === sizeBytes) return;
    if (end.reason !== undefined) throw new Error(end.reason);
    await delay(5);
  }
  throw new Error(`${QEMU} has not mounted its export after ${READY_WITHIN_MILLIS} ms`);
}

/** Sets a loop device's queue up as tslosetup does. */
export function setUpQueue(device: string): void {
  const name = device.slice(device.lastIndexOf("/") + 1);
  for (const [attribute, value] of Object.entries(QUEUE)) {
    Deno.writeTextFileSync(`/sys/block/${name}/queue/${attribute}`, value);
  }
}
