# What -d takes down, and what it says of that.

sealed=/run/detaching.img
truncate -s 16M $sealed
mkfs.ext4 -q $sealed

# flag DEVICE: whether it was told to go
flag() { echo $(tslosetup --raw -n -O AUTOCLEAR "$1"); }

attach "to be pending" -r -t RAW /dev/nbd0 $sealed
same "before -d, no mark" 0 "$(flag /dev/nbd0)"
mount -o ro,noload /dev/nbd0 $mnt
run tslosetup -d /dev/nbd0
same "-d when mounted, the device is marked" "0||1" "$code|$err|$(flag /dev/nbd0)"
run tslosetup --nooverlap --find --show -r -t RAW --transport nbd $sealed
same "--nooverlap has it stay, without the mark" "0|/dev/nbd0|0" "$code|$out|$(flag /dev/nbd0)"
umount $mnt
check "it has stayed" read_block /dev/nbd0
mount -o ro,noload /dev/nbd0 $mnt
kill -TERM $(daemon_of 0)
check "SIGTERM when mounted, the device is marked" eventually eval '[[ $(flag /dev/nbd0) == 1 ]]'
umount $mnt
nothing_left "marked devices"

attach "the first of an image" -r -t RAW /dev/nbd0 $sealed
attach "the second of it" -r -t RAW -f RAW /dev/loop0 $sealed
attach "one of another" -r -t QCOW /dev/nbd4 $images/plain.qcow2
run tslosetup -d $sealed
same "-d of an image, exit code and messages" "0|" "$code|$err"
run tslosetup -n -O NAME
same "-d of an image leaves the others" "/dev/nbd4" "$out"
fails "-d of an image that is not attached" "No such device" tslosetup -d $sealed
fails "-d of a partition" "/dev/nbd4p1: .*it is a partition of /dev/nbd4" tslosetup -d /dev/nbd4p1
detached "-d of the other" -d $images/plain.qcow2

attach "without its state" -r -t QCOW /dev/nbd0 $images/plain.qcow2
rm $states/*
run tslosetup -d /dev/nbd0
same "without its state, -d" "0|" "$code|$err"
nothing_left "without its state"
attach "mounted, without its state" -r -t QCOW /dev/nbd0 $images/plain.qcow2
mount -o ro /dev/nbd0 $mnt
rm $states/*
run tslosetup -d /dev/nbd0
same "mounted, without its state, -d" "0|" "$code|$err"
tree_is_right "mounted, without its state" $mnt
umount $mnt
nothing_left "mounted, without its state"

attach "dead and open" --no-revive -r -t QCOW /dev/nbd0 $images/plain.qcow2
sleep 1000 </dev/nbd0 &
opener=$!
kill -9 $(daemon_of 0)
eventually eval '! processes | grep -q -e "--[i]nternal"'
run tslosetup -d /dev/nbd0
same "dead and open, -d" 0 "$code"
check "dead and open, -d says so" grep -q "/dev/nbd0: warning: still open" <<<"$err"
kill $opener
wait $opener 2>/dev/null
run tslosetup -l
same "dead and open, the list" "0||" "$code|$out|$err"
nothing_left "dead and open"

attach "stopped" -r -t QCOW /dev/nbd0 $images/plain.qcow2
kill -STOP $(daemon_of 0)
fails "stopped, -d" "is stopped: kill -CONT" tslosetup -d /dev/nbd0
run tslosetup -d --force /dev/nbd0
same "stopped, -d --force" 0 "$code"
nothing_left "stopped"

# Another PID namespace, as a container has it: a process id of here means nothing there.
contained() { unshare --pid --fork --mount-proc "$program" "$@"; }
attach "from a container" -r -t QCOW /dev/nbd0 $images/plain.qcow2
run contained --raw -n -O NAME,PID
same "from a container, -l" "0|/dev/nbd0 -|" "$code|$out|$err"
check "from a container, the device is there" read_block /dev/nbd0
run contained -d /dev/nbd0
same "from a container, -d" "0||" "$code|$out|$err"
nothing_left "from a container"

# A disk that takes more than it can keep.
mkdir -p /run/small
mount -t tmpfs -o size=1M tmpfs /run/small
truncate -s 64M /run/small/disk
losetup /dev/loop1 /run/small/disk
attach "lost writes" /dev/nbd0 /dev/loop1
dd if=/dev/urandom of=/dev/nbd0 bs=1M count=4 status=none
fails "lost writes, -d" "/dev/nbd0: detached, but the last writes may not" tslosetup -d /dev/nbd0
losetup -d /dev/loop1
umount /run/small
nothing_left "lost writes"
rm $sealed
