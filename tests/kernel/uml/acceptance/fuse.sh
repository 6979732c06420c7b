# Loop devices over FUSE, on a kernel whose FUSE is a module, and older than that of most hosts.

fuse_daemon_of() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$states/loop${1}.json"; }

rmmod fuse 2>/dev/null
attach "FUSE, QCOW" --transport fuse -r -t QCOW /dev/loop0 $images/compressed.qcow2
check "FUSE, its driver is loaded when it is needed" grep -q '^fuse ' /proc/modules
same "FUSE, BACK-FILE" "$images/compressed.qcow2" "$(</sys/block/loop0/loop/backing_file)"
same "FUSE, no mount to be seen" "" "$(grep " fuse\." /proc/mounts)"
mounted_tree "FUSE, QCOW" /dev/loop0
detached "FUSE, QCOW, -d" -d /dev/loop0

image=/run/grows.img
dd if=/dev/urandom of=$image bs=1M count=2 status=none
attach "FUSE, RAW" --transport fuse --threads 2 /dev/loop1 $image
check "FUSE, RAW, content" cmp $image /dev/loop1
for mib in 5 9; do
  truncate -s ${mib}M $image
  dd if=/dev/urandom of=$image bs=1M seek=$((mib - 1)) count=1 conv=notrunc status=none
  run tslosetup -c /dev/loop1
  same "FUSE, -c after it has grown to $mib MiB" "0||$((mib << 20))" "$code|$err|$(size_of /dev/loop1)"
  check "FUSE, $mib MiB, content" cmp $image /dev/loop1
done
truncate -s 3M $image
run tslosetup -c /dev/loop1
same "FUSE, -c after it has shrunk" "0||$((3 << 20))" "$code|$err|$(size_of /dev/loop1)"
check "FUSE, RAW, mkfs.ext4" mkfs.ext4 -q /dev/loop1
check "FUSE, RAW, mount" mount /dev/loop1 $mnt
echo before >$mnt/file
run tslosetup -d /dev/loop1
same "FUSE, -d when mounted" "0||" "$code|$out|$err"
echo after >>$mnt/file
umount $mnt
nothing_left "FUSE, -d when mounted, then umount"
run e2fsck -f -n $image
same "FUSE, e2fsck of the image" 0 "$code"
same "FUSE, what was written" "before after" "$(echo $(debugfs -R 'cat file' $image 2>/dev/null))"

attach "FUSE, kill -9" --no-revive --transport fuse -r -t QCOW /dev/loop0 $images/plain.qcow2
kill -9 $(fuse_daemon_of 0)
run read_block /dev/loop0 100
same "FUSE, kill -9, reads fail" 1 "$code"
detached "FUSE, kill -9, -d" -d /dev/loop0

attach "FUSE, stopped" --transport fuse -r -t QCOW /dev/loop0 $images/plain.qcow2
kill -STOP $(fuse_daemon_of 0)
fails "FUSE, stopped, -d" "is stopped: kill -CONT" tslosetup -d /dev/loop0
run tslosetup -d --force /dev/loop0
same "FUSE, stopped, -d --force" 0 "$code"
nothing_left "FUSE, stopped, -d --force"
rm $image
