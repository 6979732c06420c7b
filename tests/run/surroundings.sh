#!/bin/sh
# Makes of a mount namespace of its own what the tests need, and runs a command there:
#
#   unshare --mount --propagation unchanged sh surroundings.sh COMMAND...
#
# Nothing that is mounted there outlives the command, however it ends.
set -eu

has_mounted_root() { grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ' /proc/self/mountinfo; }

# The root folder of a chroot may be no mount point; no mount namespace can be made from such a one. So
# it is bound to a folder of /proc: that is a mount which can be kept from being seen elsewhere first.
mount_root() {
	mount --make-private /proc
	mount --rbind / /proc/tty
	mount --make-rprivate /proc/tty
	exec chroot /proc/tty env -C "$PWD" sh "$0" "$@"
}

# Processes are frozen, and kept from starting others, by control groups.
mount_control_groups() {
	! grep -q '^[^ ]* /sys/fs/cgroup' /proc/self/mounts || return 0
	[ -d /sys/fs/cgroup ] || return 0
	mount -t tmpfs tmpfs /sys/fs/cgroup
	# Those of the first version that are in use: others may be the second version's.
	while read -r controller hierarchy _; do
		case $controller in freezer | pids) ;; *) continue ;; esac
		[ "$hierarchy" = 0 ] || mount_group "$controller" -t cgroup -o "$controller"
	done </proc/cgroups
	mount_group unified -t cgroup2
}

mount_group() {
	folder=/sys/fs/cgroup/$1
	shift
	mkdir "$folder"
	mount "$@" cgroup "$folder" 2>/dev/null || rmdir "$folder"
}

has_mounted_root || mount_root "$@"
mount --make-rprivate /
mount_control_groups
export TSLOSETUP_TEST_MOUNTS=own
exec "$@"
