# Several connections, while the kernel is slow to make the threads that listen on them: kthreadd only
# gets what processor time a loop leaves. Comes first in its guest: threads of earlier devices would do.
# Linux 6.1 then listens on one or two of them for good; newer ones (6.12.113, 7.2) on all in the end.

# listening: on how many of its connections the kernel listened when the device was last connected, as in
# "8 of 8"; nothing if it was given only one, which needs no look
listening() { awk '/nbd connect: 0$/ { seen = "" } / listens on / { seen = $(NF - 3) " of " $(NF - 1) } END { print seen }' /run/stderr; }

# is_heard: no connection is left on which the kernel does not listen
is_heard() { [[ $(listening) == "" || $(listening) == "8 of 8" ]]; }

# curious: reads the device whenever it is connected, as udev does at every change of it
curious() { while sleep 0.02; do [[ ! -e /sys/block/nbd0/pid ]] || dd if=/dev/nbd0 of=/dev/null bs=4096 iflag=direct status=none; done; }

modprobe nbd
chrt --idle --pid 0 2
while :; do :; done &
spinner=$!
curious 2>/dev/null &
reader=$!
TSLOSETUP_DEBUG=kernel run patiently "$program" -r --threads 8 -t QCOW /dev/nbd0 $images/plain.qcow2
kill $spinner $reader
wait $reader
chrt --other --pid 0 2
same "--threads 8 without threads in the kernel, exit code" 0 "$code"
echo "# connected $(grep -c 'nbd connect: 0$' /run/stderr) times"
check "--threads 8 without threads in the kernel, all connections are listened on" is_heard
check "--threads 8 without threads in the kernel, content" cmp /dev/nbd0 $images/ext4.raw
same "--threads 8 without threads in the kernel, no errors in its log" "" "$(dmesg | grep 'I/O error' | tail -n 3)"
detached "-d of it" -d /dev/nbd0

run tslosetup -r --threads 8 -t QCOW /dev/nbd0 $images/plain.qcow2
same "--threads 8, exit code" 0 "$code"
same "--threads 8, threads of the kernel that listen" 8 "$(grep -lE '\+nbd0-recv$' /proc/[0-9]*/comm | wc -l)"
same "--threads 8, content" "" "$(cmp /dev/nbd0 $images/ext4.raw 2>&1)"
detached "-d of 8 connections" -d /dev/nbd0

# Interrupted while it waits for them: the device is set up all the same.
chrt --idle --pid 0 2
while :; do :; done &
spinner=$!
TSLOSETUP_DEBUG=kernel "$program" -r --threads 16 -t QCOW /dev/nbd1 $images/plain.qcow2 2>/run/stderr &
command=$!
listens() { grep -q 'nbd1 listens on' /run/stderr; }
eventually listens
kill -INT $command
wait $command
code=$?
kill $spinner
chrt --other --pid 0 2
same "interrupted while it waits, exit code" 0 "$code"
check "interrupted while it waits, content" cmp /dev/nbd1 $images/ext4.raw
detached "-d of it" -d /dev/nbd1
