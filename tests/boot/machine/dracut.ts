/**
 * An initramfs made by dracut.
 *
 * @module
 */
import type { InitramfsRecipe } from "./initramfs.ts";

/** What the root that it is made in has for it; the guest's own need not be that one. */
export const DRACUT = [
  ...["dracut", "dracut-network", "isc-dhcp-client", "iproute2", "iputils-arping"],
  ...["nfs-common", "keyutils", "netbase"],
];

/** What is not of use to an emulated machine. */
const OMITTED = "kernel-modules ifcfg qemu qemu-net nfs crypt dm lvm btrfs i18n";

/** Not for this machine: all that is needed is the module's to name. */
export const MAKE_BY_DRACUT: Pick<InitramfsRecipe, "install" | "make"> = {
  install: `
    mkdir -p /usr/local/lib/tslosetup/boot /usr/lib/dracut/modules.d/90tslosetup
    cp /checkout/src/boot/*.sh /usr/local/lib/tslosetup/boot/
    cp /checkout/src/boot/dracut/*.sh /usr/lib/dracut/modules.d/90tslosetup/`,
  make:
    `dracut --quiet --force --no-hostonly --no-early-microcode --gzip --omit '${OMITTED}' /initramfs $VERSION`,
};
