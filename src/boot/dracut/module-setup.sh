#!/bin/bash
# tslosetup: what a machine needs in its initramfs whose root lies in a disk image. See ../README.md.
# Once installed, it is in every initramfs; dracut --omit tslosetup leaves it out.

TSLOSETUP_LIBRARY=/usr/local/lib/tslosetup/boot
TSLOSETUP_CACHE=/var/cache/tslosetup/root.squashfs

# install.sh puts the program where dracut does not look.
tslosetup_program() { PATH=$PATH:/usr/local/bin command -v tslosetup; }

check() {
	[ -e "$TSLOSETUP_LIBRARY/common.sh" ] && tslosetup_program >/dev/null && require_binaries mksquashfs busybox blkid
}

# The network, for NFS only: mount.nfs says whether that is wanted. What cannot be installed is not asked
# for: dracut would leave out all of this.
depends() {
	echo base rootfs-block
	command -v mount.nfs >/dev/null || return 0
	tslosetup_network || dinfo "tslosetup: without NFS, as dracut cannot install its module network (package dracut-network)"
}

# tslosetup_network: prints what dracut can install of it, and fails if that is none. Its choice of
# networkd does not obey ip=, where there is nothing else.
tslosetup_network() (
	add_dracutmodules="${add_dracutmodules-} network-legacy network"
	! check_module network-legacy >/dev/null 2>&1 || legacy=network-legacy
	check_module network >/dev/null 2>&1 && echo "${legacy-}" network
)

installkernel() {
	hostonly='' instmods loop squashfs nbd fuse erofs 9p 9pnet_virtio virtiofs nfs nfsv3 nfsv4
	hostonly='' instmods virtio_pci virtio_blk virtio_net ext4 xfs btrfs vfat
}

# The program is data here, already compressed: nothing strips or compresses it anew. It
# is left out if it is beside the image: tslosetup.program=
install() {
	if [ -z "${TSLOSETUP_IS_BESIDE-}" ]; then
		sh "$TSLOSETUP_LIBRARY/pack.sh" "$TSLOSETUP_CACHE" "$(tslosetup_program)" || return
		inst_simple "$TSLOSETUP_CACHE" /usr/lib/tslosetup/root.squashfs
	fi
	inst_simple "$TSLOSETUP_LIBRARY/common.sh" /usr/lib/tslosetup/common.sh
	inst_multiple blkid cat chown chroot cp grep ln mkdir mount modprobe rm sleep stat umount
	inst_hook cmdline 20 "$moddir/cmdline.sh"
	inst_hook initqueue/settled 20 "$moddir/attach.sh"
	dracut_need_initqueue
	command -v mount.nfs >/dev/null && dracut_module_included network || return 0
	inst_simple "$TSLOSETUP_LIBRARY/nfs.sh" /usr/lib/tslosetup/nfs.sh
	inst_multiple -o ip mount.nfs mount.nfs4 keyctl /sbin/request-key
	inst_multiple -o /etc/netconfig /etc/protocols /etc/services /etc/nsswitch.conf
	inst_libdir_file 'libnss_dns.so*' 'libnss_files.so*'
	echo "create id_resolver * * $(command -v keyctl) revoke 4294967288" >"$initdir/etc/request-key.conf"
}
