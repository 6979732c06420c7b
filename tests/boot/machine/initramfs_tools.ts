/**
 * An initramfs made by initramfs-tools.
 *
 * @module
 */
import type { InitramfsRecipe } from "./initramfs.ts";

/** What the guest's root has for it. */
export const INITRAMFS_TOOLS = ["initramfs-tools", "nfs-common", "keyutils", "netbase"];

/** Few modules, and none of this machine's: all that is needed beside them is the hook's to name. */
export const MAKE_BY_INITRAMFS_TOOLS: Pick<InitramfsRecipe, "install" | "make"> = {
  install: `
    mkdir -p /usr/local/lib/tslosetup/boot
    cp /checkout/src/boot/*.sh /usr/local/lib/tslosetup/boot/
    cd /checkout/src/boot/initramfs-tools
    install -m 755 hook.sh /etc/initramfs-tools/hooks/tslosetup
    install -m 755 local-top.sh /etc/initramfs-tools/scripts/local-top/tslosetup
    echo MODULES=list >/etc/initramfs-tools/conf.d/modules`,
  make: "mkinitramfs -o /initramfs $VERSION",
};
