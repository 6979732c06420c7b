# RAW, read and write.

image=/run/disk.img
truncate -s 64M $image
attach "RAW /dev/nbd0" /dev/nbd0 $image
same "RAW, writable" 0 "$(blockdev --getro /dev/nbd0)"
same "RAW, flushes and FUA reach the server" "write back 1" \
  "$(echo $(cat /sys/block/nbd0/queue/write_cache /sys/block/nbd0/queue/fua))"
fails "a second writer" "being written by tslosetup \\(pid $(daemon_of 0)\\)|in use" tslosetup --find --show $image
fails "a reader beside the writer" "being written by tslosetup \\(pid $(daemon_of 0)\\)" tslosetup -r --transport nbd --find $image
check "RAW, mkfs.ext4" mkfs.ext4 -q /dev/nbd0
check "RAW, mount" mount /dev/nbd0 $mnt
rm -rf $mnt/lost+found
check "RAW, copying files" cp -r $images/tree/. $mnt/
check "RAW, a synchronous write" dd if=/dev/urandom of=$mnt/lost+found bs=4096 count=16 oflag=direct,sync status=none
synced=$(sha256sum <$mnt/lost+found)
check "RAW, sync" sync
# What was synced is in the image now, not only on its way there; of metadata, the journal has to be.
cp --sparse=always $image /run/synced.img
e2fsck -p -E journal_only /run/synced.img >/dev/null
check "RAW, after sync the image alone has it" cmp -n 65536 \
  <(debugfs -R 'cat lost+found' /run/synced.img 2>/dev/null) $mnt/lost+found
rm /run/synced.img
same "RAW, and it is the same" "$synced" "$(sha256sum <$mnt/lost+found)"
rm $mnt/lost+found
check "RAW, umount" umount $mnt
detached "RAW, -d" -d /dev/nbd0
run e2fsck -f -n $image
same "RAW, e2fsck -f of the image" 0 "$code"
modprobe loop
check "RAW, the image by itself" mount -o loop $image $mnt
tree_is_right "RAW, SHA-256 of every file" $mnt
umount $mnt

dd if=/dev/urandom of=$image bs=1M count=16 conv=notrunc status=none
cp $image /run/copy.img
attach "RAW over /dev/nbd5" /dev/nbd5 $image
before=$(stat -c %b $image)
check "blkdiscard" blkdiscard -o 4M -l 8M /dev/nbd5
same "blkdiscard, its 8 MiB are holes" 16384 $((before - $(stat -c %b $image)))
fallocate -p -o 4M -l 8M /run/copy.img
check "blkdiscard -z" blkdiscard -z -o 13M -l 1M /dev/nbd5
dd if=/dev/zero of=/run/copy.img bs=1M seek=13 count=1 conv=notrunc status=none
check "direct write with FUA" dd if=/run/copy.img of=/dev/nbd5 bs=64k count=4 skip=3 seek=40 oflag=direct,dsync status=none
dd if=/run/copy.img of=/run/copy2.img bs=64k count=4 skip=3 status=none
dd if=/run/copy2.img of=/run/copy.img bs=64k seek=40 conv=notrunc status=none
check "content after discard and write" cmp /dev/nbd5 /run/copy.img
detached "RAW, -d /dev/nbd5" -d /dev/nbd5
check "content of the image" cmp $image /run/copy.img
rm $image /run/copy*.img

# Several threads may write to a RAW image, each with a connection of its own.
truncate -s 16M $image
dd if=/dev/urandom of=/run/copy.img bs=1M count=16 status=none
attach "RAW, --threads 4" --threads 4 /dev/nbd0 $image
same "RAW, --threads 4, connections" 4 "$(grep -lE '\+nbd0-recv$' /proc/[0-9]*/comm | wc -l)"
check "RAW, --threads 4, written" dd if=/run/copy.img of=/dev/nbd0 bs=64k oflag=direct conv=fsync status=none
check "RAW, --threads 4, is in the image" cmp $image /run/copy.img
detached "RAW, --threads 4, -d" -d /dev/nbd0
rm $image /run/copy.img

# RAW files may have any size: what does not fill a sector is not accessible.
head -c 5000 /dev/urandom >/run/odd.img
run tslosetup /dev/nbd0 /run/odd.img
check "odd size, a warning" grep -q '^tslosetup: /run/odd.img: warning: .*sector' <<<"$err"
same "odd size, size" "0 4608" "$code $(size_of /dev/nbd0)"
check "odd size, content" cmp -n 4608 /dev/nbd0 /run/odd.img
detached "odd size, -d" -d /dev/nbd0

# An image on a read-only file system, without -r: as losetup, read-only and with a warning.
run tslosetup --transport nbd --find --show /run/sealed/ext4.raw
same "write-protected image, exit code, device" "0 /dev/nbd0" "$code $out"
check "write-protected image, a warning" grep -q '^tslosetup: /run/sealed/ext4.raw: warning: .*read-only' <<<"$err"
same "write-protected image, one line" 1 "$(wc -l <<<"$err")"
same "write-protected image, read-only" 1 "$(blockdev --getro /dev/nbd0)"
mounted_tree "write-protected image" /dev/nbd0
detached "write-protected image, -d" -d /dev/nbd0

# A QCOW image: what is written to its file system is there when it is attached anew.
cp $images/plain.qcow2 /run/written.qcow2
run tslosetup -t QCOW --find --show /run/written.qcow2
same "QCOW without -r, exit code, writable, messages" "0 0|" "$code $(blockdev --getro /dev/nbd0)|$err"
mkdir -p /run/m
mount /dev/nbd0 /run/m
head -c 300000 /dev/urandom >/run/new
cp /run/new /run/m/new
umount /run/m
check "QCOW, written to, its file system" e2fsck -fn /dev/nbd0
grown=$(($(size_of /dev/nbd0) + (100 << 20)))
check "QCOW, mount once more" mount /dev/nbd0 $mnt
run tslosetup --resize +100M /dev/nbd0
same "QCOW, --resize while it is mounted" "0||$grown" "$code|$err|$(size_of /dev/nbd0)"
check "QCOW, its new end is written" dd if=/dev/urandom of=/dev/nbd0 bs=4096 count=1 seek=$((grown / 4096 - 1)) oflag=direct status=none
check "QCOW, umount after it has grown" umount $mnt
check "QCOW, larger, its file system" e2fsck -fn /dev/nbd0
detached "QCOW, written to, -d" -d /dev/nbd0
run tslosetup -r -t QCOW --find --show /run/written.qcow2
mount -o ro /dev/nbd0 /run/m
check "QCOW, attached anew, has what was written" cmp /run/m/new /run/new
umount /run/m
detached "QCOW, attached anew, -d" -d /dev/nbd0
rm /run/written.qcow2 /run/new
