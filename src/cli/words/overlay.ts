/**
 * What `--overlay` asks for:
 *
 *     --overlay        a file without a name
 *     --overlay=ram    memory
 *     --overlay=PATH   a file that stays; `./ram` is one, too
 *
 * @module
 */
import type { WantedOverlay } from "../../device/attach_command.ts";
import { mutuallyExclusive } from "./exclusive.ts";
import type { OptionName } from "./option_table.ts";
import type { Settings } from "./settings.ts";
import { UsageError } from "./usage_error.ts";

/** Its only argument that is no path. */
const IN_MEMORY = "ram";

/** What an image with a backing file cannot record of that, or has its own limits for. */
const NOT_FOR_LATER: readonly OptionName[] = ["snapshot", "no-backing", "force", "overlay-size"];

/** @throws {UsageError} if other options do not go with it */
export function wantedOverlay(settings: Settings): WantedOverlay | undefined {
  const { overlay, overlaySizeBytes: limitBytes, transport, seen } = settings;
  if (overlay === undefined && limitBytes !== undefined) {
    throw new UsageError("--overlay-size requires --overlay");
  }
  if (overlay === undefined) return undefined;
  if (transport === "loop" || transport === "view") {
    throw mutuallyExclusive([`--transport ${transport}`, "--overlay"]);
  }
  if (overlay === "") return { kept: "in a file", limitBytes };
  if (overlay === IN_MEMORY) return { kept: "in memory", limitBytes };
  const other = NOT_FOR_LATER.find((name) => seen.has(name));
  if (other !== undefined) throw mutuallyExclusive(["--overlay=<path>", `--${other}`]);
  return { kept: "for later", path: overlay };
}
