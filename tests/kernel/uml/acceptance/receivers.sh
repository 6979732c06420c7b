# Several connections, while the kernel is slow to make the threads that listen on them: kthreadd only
# gets what processor time a loop leaves. Comes first in its guest: threads of earlier devices would do.

# tries: how often a device was connected
tries() { grep -c 'nbd connect: 0$' /run/stderr; }

chrt --idle --pid 0 2
while :; do :; done &
spinner=$!
TSLOSETUP_DEBUG=kernel run patiently "$program" -r --threads 8 -t QCOW /dev/nbd0 $images/plain.qcow2
kill $spinner
chrt --other --pid 0 2
same "--threads 8 without threads in the kernel, exit code" 0 "$code"
check "--threads 8 without threads in the kernel, tries again" test "$(tries)" -gt 1
check "--threads 8 without threads in the kernel, content" cmp /dev/nbd0 $images/ext4.raw
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
