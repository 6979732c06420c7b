/**
 * Loop devices that no server is behind: views, compared to a raw disk, and to our devices over FUSE.
 *
 * @module
 */
import { must, run } from "../support/tools.ts";
import type { Competitor, Server } from "./competitors.ts";
import { missingForDevices, setUpQueue, tslosetupDevice } from "./fuse_competitors.ts";

/** The competitor all others are compared to: the loop driver alone, on a raw file in the page cache. */
export const VIEW_BASELINE = "loop-raw";
/** What has to reach the targets. */
export const VIEW = "tslosetup-view";

/** All that is compared. `binary` is the compiled tslosetup. */
export function viewCompetitors(binary: string): readonly Competitor[] {
  return [tslosetupDevice(binary, "view"), tslosetupDevice(binary, "fuse"), loopRaw()];
}

/** Views read image files through the page cache, too. */
function loopRaw(): Competitor {
  return {
    name: VIEW_BASELINE,
    knowsQcow: true,
    missing: missingForDevices,
    async start({ rawPath }): Promise<Server> {
      const how = ["--read-only", "--find", "--show"];
      const device = (await must("losetup", ...how, rawPath)).trim();
      setUpQueue(device);
      const readyAt = performance.now();
      const stop = async (): Promise<void> => {
        await run("losetup", "--detach", device);
      };
      return { uri: device, pid: undefined, readyAt, stop };
    },
  };
}
