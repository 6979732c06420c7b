#!/bin/busybox sh
# First process of the benchmark's guest, in its initramfs: loads the drivers, mounts the host's root
# read-only, and goes on there with guest_init.sh. guest.ts fills /modules in, and sets ram_disk_kib by
# way of the kernel command line.

/bin/busybox --install -s /bin
mount -t proc proc /proc
while read -r module; do
  case $module in brd.ko) options="rd_nr=1 rd_size=$ram_disk_kib" ;; *) options= ;; esac
  insmod "/modules/$module" $options
done </modules/order

mount_host() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=1048576,$3" "$1" "$2"; }
mount_host host /host ro,cache=loose
mount -t proc proc /host/proc
mount -t sysfs sysfs /host/sys
mount -t devtmpfs devtmpfs /host/dev
mount -t tmpfs -o mode=755 tmpfs /host/run
mkdir /host/run/share
mount_host share /host/run/share rw
umount /proc
exec switch_root /host /bin/bash /run/share/guest_init.sh
