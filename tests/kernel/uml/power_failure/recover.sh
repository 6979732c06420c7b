# Disks as power failures have left them: each is mounted, has its files, and is in order then.

modprobe -a loop xfs
mkdir -p /run/disk
for state in /run/share/states/*/; do
  name=$(basename "$state")
  cp --sparse=always "$state/disk" /run/raw
  check "$name, mount" mount -o loop /run/raw /run/disk
  for file in $(<"$state/files"); do
    check "$name, file $file" cmp "/run/share/files/$file" "/run/disk/$file"
  done
  check "$name, umount" umount /run/disk
  check "$name, xfs_repair -n" xfs_repair -n /run/raw
  rm /run/raw
done
