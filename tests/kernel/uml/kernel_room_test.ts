/** src/kernel against the nbd and loop drivers of a real kernel, with a server of a few lines. */
import { must } from "../../support/tools.ts";
import { kernelTest } from "./kernels.ts";
import { runGuest, stepsOf } from "./uml.ts";

const GUEST = new URL("kernel_room_guest.ts", import.meta.url).pathname;
const SERVER = new URL("tiny_nbd_server.ts", import.meta.url).pathname;

const SCRIPT = `
truncate -s 16M disk.img
printf 'label: dos\\n2048,4096\\n8192,4096\\n' | sfdisk -q disk.img
truncate -s 16M ext4.img
mkfs.ext4 -q ext4.img
mkdir /run/mnt && mount --bind /run/mnt /mnt
deno run -A --cached-only ${GUEST} || not_ok "the driver of the checks ends well" "exit $?"
dmesg | tail -n 30
`;

await kernelTest("the kernel room in user-mode Linux", async (t, kernel) => {
  await must(Deno.execPath(), "cache", GUEST, SERVER);
  const { denoDir } = JSON.parse(await must(Deno.execPath(), "info", "--json"));
  const report = await runGuest(SCRIPT, { kernel, env: { DENO_DIR: denoDir } });
  await stepsOf(t, report);
});
