# Snapshots of disks in use: what is mounted is frozen meanwhile, whatever device shows the disk.

image=/run/image.qcow2
modprobe -a loop fuse

# load FOLDER: writes file after file there, until /run/enough is there; or one cannot be written
load() {
  local n
  for ((n = 0; ; n++)); do
    [[ ! -e /run/enough ]] || return 0
    head -c 65536 /dev/urandom >$1/load$((n % 50)) || return
  done
}

# snapshot_is NAME SNAPSHOT TEXT START: the file system of a snapshot, which starts so many bytes behind
# the disk's start, is clean, with no journal to be replayed, and its file `which` has this text
snapshot_is() {
  qemu-img convert -f qcow2 -O raw -l "snapshot.name=$2" $image /run/snapshot.raw
  tail -c +$(($4 + 1)) /run/snapshot.raw >/run/volume.raw
  run e2fsck -f -n /run/volume.raw
  same "$1, snapshot $2, e2fsck" "0|" "$code|$(grep -iE 'recover|journal' <<<"$out$err")"
  same "$1, snapshot $2, its file" "$3" "$(debugfs -R 'cat which' /run/volume.raw 2>/dev/null)"
  rm /run/snapshot.raw /run/volume.raw
}

# in_use NAME DEVICE MOUNTED START: snapshots of a device while a file system of it is written to
in_use() {
  check "$1, mount" mount $3 $mnt
  echo first >$mnt/which
  load $mnt &
  local writer=$!
  sleep 0.5
  run tslosetup --snapshot-create first $2
  same "$1, --snapshot-create" "0|" "$code|$err"
  echo second >$mnt/which
  run tslosetup --snapshot-create second $2
  same "$1, --snapshot-create once more" "0|" "$code|$err"
  echo third >$mnt/which
  run tslosetup --snapshot-create third $2
  run tslosetup --snapshot-delete second $2
  same "$1, --snapshot-delete" "0|" "$code|$err"
  fails "$1, --snapshot-apply" "in use" tslosetup --snapshot-apply first $2
  touch /run/enough
  wait $writer
  same "$1, writing goes on" 0 "$?"
  rm /run/enough
  check "$1, umount" umount $mnt
  run e2fsck -f -n $3
  same "$1, e2fsck" 0 "$code"
  detached "$1, -d" -d $2
  run qemu-img check -f qcow2 $image
  same "$1, qemu-img check" 0 "$code"
  same "$1, snapshots" "first third" "$(echo $(qemu-img snapshot -l $image | awk '/^[0-9]/ { print $2 }'))"
  snapshot_is "$1" first first $4
  snapshot_is "$1" third third $4
  run tslosetup --snapshot-apply first $image
  same "$1, --snapshot-apply" "0|" "$code|$err"
  run qemu-img check -f qcow2 $image
  same "$1, qemu-img check after that" 0 "$code"
}

for transport in nbd fuse; do
  case $transport in nbd) device=/dev/nbd0 ;; *) device=/dev/loop0 ;; esac

  cp $images/plain.qcow2 $image
  attach "snapshots over $transport" --transport $transport -t QCOW $device $image
  in_use "snapshots over $transport" $device $device 0
  attach "snapshots over $transport, what was applied" -r --transport $transport -t QCOW $device $image
  check "snapshots over $transport, what was applied, mount" mount -o ro $device $mnt
  same "snapshots over $transport, what was applied, its file" first "$(<$mnt/which)"
  check "snapshots over $transport, what was applied, umount" umount $mnt
  detached "snapshots over $transport, what was applied, -d" -d $device

  cp $images/partitions.qcow2 $image
  attach "snapshots of a partition over $transport" -P --transport $transport -t QCOW $device $image
  start=$(($(cat /sys/class/block/${device##*/}p2/start) * 512))
  in_use "snapshots of a partition over $transport" $device ${device}p2 $start
done

# What a program has written to a device that it keeps open is in the kernel's memory only.
cp $images/plain.qcow2 $image
attach "a device that is kept open" --transport nbd -t QCOW /dev/nbd0 $image
head -c 100000 /dev/urandom >/run/new
exec 5<>/dev/nbd0
dd if=/run/new of=/dev/nbd0 conv=notrunc status=none
run tslosetup --snapshot-create open /dev/nbd0
same "a device that is kept open, --snapshot-create" "0|" "$code|$err"
exec 5<&-
detached "a device that is kept open, -d" -d /dev/nbd0
qemu-img convert -f qcow2 -O raw -l snapshot.name=open $image /run/snapshot.raw
check "a device that is kept open, the snapshot has what was written" cmp -n 100000 /run/new /run/snapshot.raw
rm $image /run/snapshot.raw /run/new
