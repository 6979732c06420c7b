#!/bin/sh
# tslosetup: what a machine needs in its initramfs whose root lies in a disk image. See README.md.
case ${1-} in prereqs) exit 0 ;; esac
. /usr/share/initramfs-tools/hook-functions

# install.sh writes here where it has put them.
PROGRAM=/usr/local/bin/tslosetup
LIBRARY=/usr/local/lib/tslosetup/boot
PACKED=/var/cache/tslosetup/root.squashfs

sh "$LIBRARY/pack.sh" "$PACKED" "$PROGRAM" || exit 1
copy_file file "$PACKED" /usr/lib/tslosetup/root.squashfs
copy_file script "$LIBRARY/common.sh" /usr/lib/tslosetup/common.sh
[ -e "$DESTDIR/bin/busybox" ] || copy_exec "$(command -v busybox)" /bin/busybox
copy_exec /sbin/blkid
manual_add_modules loop squashfs nbd fuse erofs
manual_add_modules 9p 9pnet_virtio virtiofs nfs nfsv3 nfsv4
manual_add_modules virtio_pci virtio_blk virtio_net ext4 xfs btrfs vfat
