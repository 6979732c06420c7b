# -P, and its absence, on return of every attach.

for round in 1 2 3; do
  attach "-P, round $round" -r -P -t QCOW /dev/nbd0 $images/partitions.qcow2
  same "-P, round $round, nodes on return" "/dev/nbd0 /dev/nbd0p1 /dev/nbd0p2" "$(echo /dev/nbd0*)"
  ((round < 3)) && detached "-P, round $round, -d" -d /dev/nbd0
  ((round < 3)) && same "-P, round $round, -d, no partitions are left" "/dev/nbd0" "$(echo /dev/nbd0*)"
done
mounted_tree "-P, /dev/nbd0p2" /dev/nbd0p2
detached "-P, -d" -d /dev/nbd0

attach "-P /dev/loop3" -r -P -t QCOW /dev/loop3 $images/partitions.qcow2
same "-P /dev/loop3, nodes on return" "/dev/loop3 /dev/loop3p1 /dev/loop3p2" "$(echo /dev/loop3*)"
same "-P /dev/loop3, no partitions below" "/dev/nbd0" "$(echo /dev/nbd0*)"
mounted_tree "-P /dev/loop3, p2" /dev/loop3p2
check "-P, losetup -d /dev/loop3" losetup -d /dev/loop3
nothing_left "-P, losetup -d /dev/loop3"

attach "without -P" -r -t QCOW /dev/nbd0 $images/partitions.qcow2
attach "without -P, /dev/loop3" -r -t QCOW /dev/loop3 $images/partitions.qcow2
blkid /dev/nbd0 /dev/loop3 >/dev/null
read_block /dev/nbd0
same "without -P, no partitions" "" "$(cd /sys/block && ls -d nbd0/nbd0p* nbd1/nbd1p* loop3/loop3p* 2>/dev/null)"
detached "without -P, -D" -D
