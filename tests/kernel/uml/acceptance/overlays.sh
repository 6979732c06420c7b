# Overlays: what is written to a device goes elsewhere, and its image stays as it is.

base=/run/base.qcow2
cp $images/compressed.qcow2 $base
modprobe -a loop fuse

# trace: what a change of the image would show in
trace() { sha256sum <$base; stat -c '%Y %Z %s %b' $base; }
before=$(trace)

# taken PID: what the overlays of a daemon take, in KiB
taken() {
  local file sum=0
  for file in /proc/$1/fd/*; do
    case $(readlink $file) in
    *"tslosetup overlay"* | /tmp/*" (deleted)") ((sum += $(stat -L -c %b $file) / 2)) ;;
    esac
  done
  echo $sum
}

# gives_back PID: so it has, but for what an empty overlay takes; a second later, when its tables say so
gives_back() { (($(taken $1) <= 300)); }

# change NAME DEVICE: writes to its file system, which is right then, and has what was written
change() {
  check "$1, mount" mount $2 $mnt
  tree_is_right "$1, SHA-256 of every file" $mnt
  check "$1, copying files" cp -r "$mnt/folder 1" $mnt/copy
  head -c 3000000 /dev/urandom >/run/new
  check "$1, writing" dd if=/run/new of=$mnt/new bs=64k oflag=direct conv=fsync status=none
  rm -r "$mnt/folder 2"
  check "$1, umount" umount $mnt
  run e2fsck -f -n $2
  same "$1, e2fsck" 0 "$code"
  check "$1, mount again" mount -o ro $2 $mnt
  check "$1, what was written" cmp /run/new $mnt/new
  check "$1, what was copied" diff -r "$mnt/folder 1" $mnt/copy
  same "$1, what was removed" "" "$(ls -d "$mnt/folder 2" 2>/dev/null)"
  check "$1, umount again" umount $mnt
}

export TMPDIR=/tmp
for transport in nbd fuse; do
  case $transport in nbd) device=/dev/nbd0 state=nbd0 ;; *) device=/dev/loop0 state=loop0 ;; esac
  for overlay in --overlay --overlay=ram; do
    name="$overlay over $transport"
    attach "$name" --transport $transport -t QCOW $overlay $device $base
    same "$name, writable" 0 "$(blockdev --getro $device)"
    change "$name" $device
    same "$name, the image is as it was" "$before" "$(trace)"
    daemon=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$states/$state.json")
    check "$name, takes what was written" test "$(taken $daemon)" -ge 2900
    check "$name, blkdiscard" blkdiscard -f $device
    check "$name, gives it back" eventually gives_back $daemon
    detached "$name, -d" -d $device
    attach "$name, once more" --transport $transport -t QCOW $overlay $device $base
    check "$name, once more, mount" mount -o ro $device $mnt
    same "$name, once more, as if nothing had been written" "folder 2" "$(cd $mnt && ls -d new copy "folder 2" 2>/dev/null)"
    umount $mnt
    detached "$name, once more, -d" -d $device
    same "$name, the image is as it was after all" "$before" "$(trace)"
    same "$name, no file is left" "" "$(ls -A /tmp)"
  done
done

# Devices share an image, each with a disk of its own, beside one that only reads.
attach "beside others, over nbd" -t QCOW --transport nbd --overlay=ram /dev/nbd0 $base
attach "beside others, over FUSE" -t QCOW --transport fuse --overlay=ram /dev/loop0 $base
attach "beside others, read-only" -t QCOW --transport nbd -r /dev/nbd1 $base
for device in /dev/nbd0 /dev/loop0; do
  check "beside others, written" dd if=/run/new of=$device bs=64k oflag=direct seek=${#device} status=none
done
for device in /dev/nbd0 /dev/loop0; do
  cp $images/ext4.raw /run/copy
  dd if=/run/new of=/run/copy bs=64k seek=${#device} conv=notrunc status=none
  check "beside others, $device has its own" cmp $device /run/copy
done
check "beside others, the image's disk" cmp /dev/nbd1 $images/ext4.raw
detached "beside others, -d of the image" -d $base
rm /run/copy

# What is full fails who writes more, and takes more when something was discarded.
attach "a full overlay" -t QCOW --transport nbd --overlay=ram --overlay-size 8M /dev/nbd0 $base
run dd if=/dev/urandom of=/dev/nbd0 bs=64k count=256 oflag=direct status=none
check "a full overlay, the writer is told" grep -qE 'No space left|Input/output error' <<<"$err"
check "a full overlay, blkdiscard" blkdiscard -f /dev/nbd0
check "a full overlay, written again" dd if=/run/new of=/dev/nbd0 bs=64k count=32 oflag=direct conv=fsync status=none
check "a full overlay, has that" cmp -n 2097152 /run/new /dev/nbd0
detached "a full overlay, -d" -d /dev/nbd0

# What stays.
lasting=/run/lasting.qcow2
for transport in nbd fuse; do
  case $transport in nbd) device=/dev/nbd0 ;; *) device=/dev/loop0 ;; esac
  name="an overlay that stays, over $transport"
  attach "$name" --transport $transport -t QCOW --overlay=$lasting $device $base
  change "$name" $device
  same "$name, found by it" $device "$(tslosetup -n -O NAME -j $lasting)"
  detached "$name, -d by it" -d $lasting
  check "$name, tslosetup --check" tslosetup --check $lasting
  attach "$name, without its image being named" -r --transport nbd -t QCOW /dev/nbd3 $lasting
  check "$name, mount" mount -o ro /dev/nbd3 $mnt
  check "$name, what was written" cmp /run/new $mnt/new
  umount $mnt
  detached "$name, as an image, -d" -d /dev/nbd3
  same "$name, the image is as it was" "$before" "$(trace)"
  rm $lasting
done
unset TMPDIR
rm $base /run/new
