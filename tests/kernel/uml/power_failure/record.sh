# A file system on a writable QCOW image, which lies on an ext4 of whose device every write is logged.
#   program   the binary under test, a path on the host
#   fs        the file system: ext4 or xfs

below=/run/below disk=/run/disk
mkdir -p $below $disk /run/program
mount -t hostfs -o "$(dirname "$program")" none /run/program
program=/run/program/$(basename "$program")
modprobe -a loop nbd dm-mod dm-log-writes ext4 $fs
truncate -s 256M /run/data
truncate -s 900M /run/log
data=$(losetup --find --show /run/data) log=$(losetup --find --show /run/log)

mark() { dmsetup message logged 0 mark "$1"; }

check "dmsetup" dmsetup create logged --noudevsync \
  --table "0 $(blockdev --getsz "$data") log-writes $data $log"
check "the ext4 below" mkfs.ext4 -q /dev/dm-0
check "the ext4 below, mount" mount /dev/dm-0 $below
check "the image" qemu-img create -q -f qcow2 $below/disk.qcow2 400M
sync
mark attached
check "attach" "$program" -t QCOW /dev/nbd0 $below/disk.qcow2
check "mkfs" mkfs.$fs -q /dev/nbd0
check "mount" mount /dev/nbd0 $disk
sync -f $disk
mark made
for file in /run/share/files/*; do
  name=$(basename "$file")
  head -c "$((RANDOM * 20))" /dev/urandom >"$disk/passing$name"
  cp "$file" $disk/
  check "file $name" sync "$disk/$name"
  mark "file-$name"
  case $name in
    *3) rm $disk/passing* ;;
    *5) fstrim $disk ;;
  esac
done
check "umount" umount $disk
check "detach" "$program" -d /dev/nbd0
mark detached
umount $below
dmsetup remove --noudevsync logged
check "the log" cp --sparse=always /run/log /run/share/log
