/**
 * Daemons that have the image still, and no device any more: they write back, or stand still. The image is
 * locked, and no device is there to be listed.
 *
 * @module
 */
import { waitUntil } from "../../daemon/processes.ts";
import { type AttachState, isStale } from "../../daemon/state.ts";
import { lastingHindrance, standstill } from "../../device/stuck_daemon.ts";
import { listedAlone } from "./devices.ts";
import { OwnDevice } from "./own_device.ts";
import { devicesShowing } from "./showing.ts";
import { complain } from "../../sys/console.ts";

/** How long a daemon may take to end after its device, in milliseconds, before that is worth a word. */
const END_MS = 1000;

/**
 * Warns of those that do not end within a moment.
 *
 * @param file the image that is asked for, if not all
 */
export async function tellLingering(
  states: readonly AttachState[],
  file: string | undefined,
): Promise<void> {
  const wanted = file === undefined ? states : await statesShowing(file, states);
  waitUntil(() => wanted.every(isStale), END_MS);
  for (const state of wanted.filter((state) => !isStale(state))) {
    const { device, pid, image } = state;
    const what = standstill(pid, lastingHindrance(state)) ?? "has not ended yet";
    complain(`${image}: warning: ${device} is detached, but its daemon (pid ${pid}) ${what}`);
  }
}

async function statesShowing(
  file: string,
  states: readonly AttachState[],
): Promise<readonly AttachState[]> {
  const shown = await devicesShowing(file, states.map(listedAlone));
  return shown.flatMap((device) => device instanceof OwnDevice ? device.own.state ?? [] : []);
}
