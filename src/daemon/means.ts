/**
 * What all that a daemon does needs.
 *
 * @module
 */
import { Log } from "../sys/log.ts";
import { reasonOf } from "../sys/reason.ts";
import type { Job } from "./job.ts";
import type { OwnState } from "./own_state.ts";
import type { Surroundings } from "./surroundings.ts";

/** What it has around it, and what is known of it. */
export interface Means {
  readonly surroundings: Surroundings;
  readonly own: OwnState;
}

/** Whatever goes wrong besides it, serving goes on. */
export function attempt({ imagePath }: Pick<Job, "imagePath">, act: () => void): void {
  try {
    act();
  } catch (error) {
    new Log(imagePath).error(reasonOf(error));
  }
}
