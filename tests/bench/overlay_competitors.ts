/**
 * Servers of disks that are written to while their images stay as they are.
 *
 * @module
 */
import { BASELINE, type Competitor, competitors, OURS } from "./competitors.ts";

/** Those of tslosetup: in a file, and in memory. */
export const OVERLAY = `${OURS}-overlay`;
const IN_MEMORY = `${OVERLAY}-ram`;
/** The competitor all others are compared to. */
export const OVERLAY_BASELINE = `${BASELINE}-snapshot`;

/** All of them, and tslosetup without an overlay, which only reads. `binary` is the compiled one. */
export function overlayCompetitors(binary: string): readonly Competitor[] {
  const [ours, theirs] = [OURS, BASELINE].map((wanted) =>
    competitors(binary).find(({ name }) => name === wanted)
  );
  if (ours === undefined || theirs === undefined) throw new Error("no servers to be compared");
  return [
    covered(ours, OVERLAY, "--overlay"),
    covered(ours, IN_MEMORY, "--overlay=ram"),
    ours,
    covered(theirs, OVERLAY_BASELINE, "--snapshot"),
  ];
}

function covered(competitor: Competitor, name: string, option: string): Competitor {
  const { knowsQcow, missing, start } = competitor;
  return {
    name,
    knowsQcow,
    isCovered: true,
    missing,
    start: (image, socket) => start({ ...image, overlay: option }, socket),
  };
}
