#!/bin/sh
# tslosetup: what a machine needs in its initramfs whose root lies in a disk image. See README.md.
case ${1-} in prereqs) exit 0 ;; esac
. /usr/share/initramfs-tools/hook-functions

# install.sh writes here where it has put them.
PROGRAM=/usr/local/bin/tslosetup
LIBRARY=/usr/local/lib/tslosetup/boot
PACKED=/var/cache/tslosetup/root.squashfs

# Unless it is beside the image: tslosetup.program=
if [ -z "${TSLOSETUP_IS_BESIDE-}" ]; then
	sh "$LIBRARY/pack.sh" "$PACKED" "$PROGRAM" || exit 1
	copy_file file "$PACKED" /usr/lib/tslosetup/root.squashfs
fi
copy_file script "$LIBRARY/common.sh" /usr/lib/tslosetup/common.sh
[ -e "$DESTDIR/bin/busybox" ] || copy_exec "$(command -v busybox)" /bin/busybox
copy_exec /sbin/blkid
manual_add_modules loop squashfs nbd fuse erofs
manual_add_modules 9p 9pnet_virtio virtiofs nfs nfsv3 nfsv4
manual_add_modules virtio_pci virtio_blk virtio_net ext4 xfs btrfs vfat

# NFS, where its tools are installed. request-key is there to have the kernel forget it: nfs.sh.
[ -x /sbin/mount.nfs ] || exit 0
copy_file script "$LIBRARY/nfs.sh" /usr/lib/tslosetup/nfs.sh
copy_exec /sbin/mount.nfs
for file in /etc/netconfig /etc/protocols /etc/services; do
	[ ! -e "$file" ] || copy_file config "$file"
done
[ -x /sbin/request-key ] || exit 0
copy_exec /sbin/request-key
copy_exec /bin/keyctl
echo "create id_resolver * * /bin/keyctl revoke 4294967288" >"$DESTDIR/etc/request-key.conf"
