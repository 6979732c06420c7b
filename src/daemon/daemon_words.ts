/**
 * Daemons of this program among all processes.
 *
 * @module
 */
import { readTextIfAny } from "../sys/files.ts";
import { DAEMON_ARGUMENT } from "./hidden_arguments.ts";

/**
 * What a daemon shows as its command line: the device that it serves is among the words, and the image.
 *
 * @param idThere its id in /proc
 * @returns undefined if that process is no daemon of this program
 */
export function daemonWords(idThere: number): string[] | undefined {
  const words = (readTextIfAny(`/proc/${idThere}/cmdline`) ?? "").split("\0");
  return words.includes(DAEMON_ARGUMENT) ? words : undefined;
}
