/**
 * What every guest is used for: its root serves reads and writes, and outlives a reboot.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { Guest, type GuestOptions } from "./guest.ts";
import { blockErrors, openedInOldRoot, servers } from "./questions.ts";

/** What is done besides what every guest does. */
export interface Use {
  readonly reboots?: boolean;
  readonly look?: (guest: Guest) => Promise<void>;
}

/** Boots, writes, boots anew if so, and switches off. Returns all that the console showed. */
export async function useGuest(
  options: GuestOptions,
  { reboots = false, look }: Use,
): Promise<string> {
  await using guest = new Guest(options);
  await guest.isUp();
  assertEquals((await guest.run("systemctl is-system-running --wait")).trim(), "running");
  assertEquals(await blockErrors(guest), []);
  assertEquals(await servers(guest), 2);
  assertEquals(await openedInOldRoot(guest), []);
  await look?.(guest);
  const sum = await guest.run("head -c 20M /dev/urandom >/big && sync && sha256sum /big");
  assertEquals(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum /big"), sum);
  // Everything that is not open is read anew, the program that serves it as well.
  assertMatch(await guest.run("ls -lR /usr | tail -n 1; echo read"), /read/);
  await guest.run("echo written >/unsynced");
  if (reboots) {
    await guest.send("systemctl reboot");
    await guest.isUp();
    assertEquals(await guest.run("cat /unsynced && sha256sum /big"), `written\n${sum}`);
    assertEquals(await blockErrors(guest), []);
  }
  await guest.send("systemctl poweroff");
  await guest.hasEnded();
  return guest.console;
}
