#!/bin/sh
# shutdown.sh: what systemd-shutdown(8) runs from /run/initramfs, as the last process there is but for
# those that serve the root: /oldroot is unmounted, its device detached, the image's place unmounted.
# The first argument says how to go: reboot, poweroff, halt or kexec.
#
# The shell and its tools are in the root that is served from, which is still mounted below the old
# one: the links /bin and /lib lead there (common.sh: tslosetup_prepare_shutdown).

# shellcheck shell=dash disable=SC3043

OLD=/oldroot/run/initramfs
PATH=/bin
export PATH

say() { echo "tslosetup: $*" >/dev/console; }

# Both are to be had without the old root.
take_along() {
	local name
	mount -o bind "$OLD/tslosetup" /tslosetup
	mount -o bind "$OLD/tslosetup-source" /tslosetup-source
	for name in dev proc sys run; do mount -o bind "/$name" "/tslosetup/$name"; done
	for name in bin lib lib64 usr; do
		[ ! -d "/tslosetup/$name" ] || ln -sfn "tslosetup/$name" "/$name"
	done
}

# unmount_below FOLDER: what was mounted last comes first.
unmount_below() {
	local places='' place
	while read -r _ place _; do
		case $place in "$1" | "$1"/*) places="$place $places" ;; esac
	done </proc/mounts
	for place in $places; do
		umount "$place" 2>/dev/null || mount -o remount,ro "$place" 2>/dev/null ||
			say "$place stays mounted"
	done
}

detach_all() {
	local device
	while read -r device; do
		chroot /tslosetup /bin/tslosetup --detach "$device" || say "$device stays attached"
	done </tslosetup-devices
}

# A daemon gives back what it has kept ready, and closes the image, after its device has gone. It is
# given a minute.
wait_for_servers() {
	local tries=0
	while are_there_servers && [ "$tries" -lt 300 ]; do
		sleep 0.2
		tries=$((tries + 1))
	done
}

are_there_servers() {
	local folder name
	for folder in /proc/[0-9]*; do
		read -r name 2>/dev/null <"$folder/comm" && [ "$name" = tslosetup ] && return
	done
	return 1
}

# What was opened by way of the old root: this shell itself, the console, the files of what serves it.
let_go() {
	local name
	exec </dev/console >/dev/console 2>&1
	for name in run dev proc sys; do umount -l "/oldroot/$name"; done
}

[ ! -d "$OLD/tslosetup/bin" ] || take_along
let_go
unmount_below /oldroot
sync
detach_all
wait_for_servers
sync
umount /tslosetup-source 2>/dev/null || mount -o remount,ro /tslosetup-source 2>/dev/null || :
say "the root is detached"
case ${1-} in
reboot | halt) "$1" -f ;;
kexec) kexec -e || reboot -f ;;
*) poweroff -f ;;
esac
