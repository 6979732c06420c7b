/**
 * What a test asks a guest.
 *
 * @module
 */
import type { Guest } from "./guest.ts";

/** Lines of the kernel's log that tell of errors of block devices and file systems. */
export async function blockErrors(guest: Guest): Promise<string[]> {
  const log = await guest.run("dmesg");
  return log.split("\n").filter((line) =>
    /I\/O error|Buffer I\/O|blk_update_request|EXT4-fs (error|warning)|Connection timed out|hung|blocked for/
      .test(line)
  );
}

/**
 * What the processes that serve the root have open of that, or run from there: nothing is to be. Their
 * descriptors, their working and root folders and all that they have mapped are looked at.
 */
export async function openedInOldRoot(guest: Guest): Promise<string[]> {
  const links = "for p in $(pgrep -f ^@tslosetup); do";
  const device = (await guest.run("stat -c %d /")).trim();
  const mapped =
    (await guest.run(`stat -c '%Hd %Ld' / | { read a b; printf '%02x:%02x\\n' $a $b; }`))
      .trim();
  const found = await guest.run([
    `${links} for f in /proc/$p/fd/* /proc/$p/cwd /proc/$p/root /proc/$p/exe; do`,
    `[ "$(stat -L -c %d $f 2>/dev/null)" = ${device} ] && echo "$f $(readlink $f)"; done;`,
    `grep " ${mapped} " /proc/$p/maps; done; true`,
  ].join(" "));
  return found.split("\n").filter((line) => line !== "");
}

/** How many processes serve the root: daemons and their watchers. */
export async function servers(guest: Guest): Promise<number> {
  const listing = await guest.run("ps -axo args= | grep -c '^@tslosetup' || true");
  return Number(listing);
}

const STATES = "/run/tslosetup/nbd*.json";

/** Shell that waits until the daemon of the root has been replaced by another one that often. */
export function revivedTimes(times: number): string {
  return `until grep -q '"revivals":${times}\\b' ${STATES}; do sleep 0.1; done`;
}

/** Shell that kills the daemon of the root, and waits for what takes its place, for the `times`th time. */
export function killingDaemon(times: number): string {
  const pid = `sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${STATES} | tail -n 1`;
  return `kill -9 $(${pid}); ${revivedTimes(times)}`;
}
