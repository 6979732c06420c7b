/**
 * What every guest is used for: its root serves reads and writes, and outlives a reboot.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { Guest, type GuestOptions } from "./guest.ts";
import { KILLING_INIT } from "./debian.ts";
import { blockErrors, killingDaemon, openedInOldRoot, revivedTimes, servers } from "./questions.ts";

/** What is done besides what every guest does. */
export interface Use {
  readonly reboots?: boolean;
  /** Whether the daemon of the root is killed at each boot, too, as soon as there is an init. */
  readonly isKilledAtBoot?: boolean;
  readonly look?: (guest: Guest) => Promise<void>;
}

/**
 * Boots, writes while the daemon of the root is killed, boots anew if so, and switches off.
 *
 * @returns all that the console showed
 */
export async function useGuest(
  options: GuestOptions,
  { reboots = false, isKilledAtBoot = false, look }: Use,
): Promise<string> {
  const init = isKilledAtBoot ? [`init=${KILLING_INIT}`] : [];
  await using guest = new Guest({ ...options, words: [...options.words, ...init] });
  await guest.isUp();
  assertEquals((await guest.run("systemctl is-system-running --wait")).trim(), "running");
  assertEquals(await blockErrors(guest), []);
  assertEquals(await servers(guest), 2);
  assertEquals(await openedInOldRoot(guest), []);
  await look?.(guest);
  // Its daemon is killed while it is written to, and once more at once.
  const written = "head -c 20M /dev/urandom >/run/big; cat /run/big >/big & writer=$!; sleep 0.1";
  const killed = [1, 2].map((n) => killingDaemon(n + init.length)).join("; ");
  await guest.run(`${written}; ${killed}; wait $writer && sync`);
  const sum = (await guest.run("sha256sum /run/big")).replace("/run/big", "/big");
  assertEquals(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum /big"), sum);
  // Everything that is not open is read anew, the program that serves it as well.
  assertMatch(await guest.run("ls -lR /usr | tail -n 1; echo read"), /read/);
  await guest.run("echo written >/unsynced");
  if (reboots) {
    await guest.send("systemctl reboot");
    await guest.isUp();
    assertEquals(await guest.run("cat /unsynced && sha256sum /big"), `written\n${sum}`);
    assertEquals(await blockErrors(guest), []);
    if (isKilledAtBoot) await guest.run(revivedTimes(1));
  }
  await guest.send("systemctl poweroff");
  await guest.hasEnded();
  return guest.console;
}
