# common.sh: attaching the image that a machine's root lies in, from an initramfs. For dash, busybox
# and bash; what tells one initramfs from another is in the scripts that source this.
#
# The kernel command line (README.md says more):
#   tslosetup.image=      where the image lies, e.g. /dev/vda3:/img.qcow2 or 9p:TAG:/img.qcow2
#   tslosetup.format=     as --file-fmt-type has it; QCOW
#   tslosetup.overlay=    ram, or a file on the same file system: NAME beside the image, or a path from its root
#   tslosetup.partition=  the number of root's partition; without it, root is the whole disk
#   tslosetup.options=    further options, between double quotes if there are several
#   tslosetup.program=    where the packed program is beside the image, if not in the initramfs
#
# Everything that the device is served by, now and after a restart of its daemon, is in a root of its
# own, which nothing of the served file system is needed for. systemd leaves alone what is mounted
# below /run/initramfs, and /run goes along as the machine switches to its root.

# shellcheck shell=dash disable=SC3043

TSLOSETUP_PACKED=/usr/lib/tslosetup/root.squashfs
TSLOSETUP_ROOT=/run/initramfs/tslosetup
TSLOSETUP_SOURCE=/run/initramfs/tslosetup-source
# What has been attached, for who detaches it.
TSLOSETUP_DEVICES=/run/initramfs/tslosetup-devices

tslosetup_say() { echo "tslosetup: $*" >&2; }
tslosetup_fail() { tslosetup_say "$*"; return 1; }

# --- the kernel command line -------------------------------------------------------------------

# What parts words: isspace(3).
TSLOSETUP_SPACE=$(printf ' \t\n\v\f\r')

# tslosetup_word NAME LINE: prints the last NAME=VALUE in LINE, as the kernel reads it: double quotes
# keep spaces, and what follows a word -- is for init. Fails if there is none.
tslosetup_word() {
	local rest="$2" word='' value='' found=1 piece
	while [ -n "$rest$word" ]; do
		case $rest in
		["$TSLOSETUP_SPACE"]* | '')
			case $word in
			"$1"=*) value=${word#*=} found=0 ;;
			--) break ;;
			esac
			word='' rest=${rest#["$TSLOSETUP_SPACE"]}
			;;
		'"'*)
			rest=${rest#\"} piece=${rest%%\"*}
			word=$word$piece rest=${rest#"$piece"} rest=${rest#\"}
			;;
		*)
			piece=${rest%%["$TSLOSETUP_SPACE"\"]*}
			word=$word$piece rest=${rest#"$piece"}
			;;
		esac
	done
	printf '%s' "$value"
	return "$found"
}

# tslosetup_read_words [LINE]: sets $image, $format, $overlay, $partition, $options, $program
# and $is_read_only. A word without a value is as none.
# Fails if no image is asked for.
tslosetup_read_words() {
	local line="${1-}"
	[ $# -gt 0 ] || line=$(cat /proc/cmdline)
	image=$(tslosetup_word tslosetup.image "$line") && [ -n "$image" ] || return
	format=$(tslosetup_word tslosetup.format "$line") || :
	format=${format:-QCOW}
	overlay=$(tslosetup_word tslosetup.overlay "$line") || :
	partition=$(tslosetup_word tslosetup.partition "$line") || :
	options=$(tslosetup_word tslosetup.options "$line") || :
	program=$(tslosetup_word tslosetup.program "$line") || :
	is_read_only=
	[ "$overlay" != ram ] || is_read_only=yes
	! tslosetup_asks_read_only "$options" || is_read_only=yes
}

# tslosetup_asks_read_only OPTIONS: whether -r is among them, alone or with others, or --read-only, or
# what is short for it.
tslosetup_asks_read_only() (
	set -f
	for word in $1; do
		case $word in
		--rea | --read | --read- | --read-o | --read-on | --read-onl | --read-only) exit 0 ;;
		--*) continue ;;
		-*) ;;
		*) continue ;;
		esac
		# The rest of a word is the value of an option that takes one.
		case ${word%%[bcdjotO]*} in *r*) exit 0 ;; esac
	done
	exit 1
)

# tslosetup_read_image IMAGE: sets $kind (device, 9p, virtiofs, nfs), $place (the device, tag or
# SERVER:/EXPORT), $path (in there; empty if the device itself is the image) and $mount_options. Fails
# if that is no place, or what it says is no file in it.
tslosetup_read_image() {
	local rest
	place='' path='' mount_options=''
	case $1 in
	9p:*:/* | virtiofs:*:/*)
		kind=${1%%:*} rest=${1#*:}
		place=${rest%%:/*} path=/${rest#*:/}
		;;
	nfs:*:/*:/*)
		kind=nfs rest=${1#nfs:}
		path=/${rest#*:/*:/}
		place=${rest%%:/*} rest=${rest#"$place":}
		place=$place:${rest%%:/*}
		;;
	/dev/*:/* | UUID=*:/* | LABEL=*:/* | PARTUUID=*:/* | PARTLABEL=*:/*)
		kind=device place=${1%%:/*} path=/${1#*:/}
		;;
	/dev/* | UUID=* | LABEL=* | PARTUUID=* | PARTLABEL=*) kind=device place=$1 ;;
	esac
	case $path in *,*) mount_options=${path#*,} path=${path%%,*} ;; esac
	case $place in
	'' | :* | *: | /dev/ | UUID= | LABEL= | PARTUUID= | PARTLABEL=) place='' ;;
	esac
	[ -n "$place" ] && tslosetup_is_file "$path" ||
		tslosetup_fail "not a place for an image: tslosetup.image=$1" || return
	case $place in
	UUID=* | LABEL=* | PARTUUID=* | PARTLABEL=*) place=$(tslosetup_node "$place") ;;
	esac
}

# tslosetup_is_file PATH: whether it can name a file on what is mounted: no folder, nothing outside.
tslosetup_is_file() {
	case $1 in */ | */. | ../* | */../* | .. | */..) return 1 ;; esac
}

# tslosetup_check_words: what cannot be is said before anything is mounted or attached. For who has
# called tslosetup_read_words and tslosetup_read_image.
tslosetup_check_words() {
	case $partition in
	0* | *[!0-9]*) tslosetup_fail "not the number of a partition: tslosetup.partition=$partition" || return ;;
	esac
	case $overlay in
	'' | ram) ;;
	*) tslosetup_check_beside tslosetup.overlay "$overlay" || return ;;
	esac
	case $program in
	'') ;;
	/*) tslosetup_check_beside tslosetup.program "$program" ;;
	*) tslosetup_fail "not a path from / on: tslosetup.program=$program" ;;
	esac
}

# tslosetup_check_beside WORD PATH: where the disk itself is the image nothing is mounted, and the
# file would be one in memory.
tslosetup_check_beside() {
	[ -n "$path" ] ||
		tslosetup_fail "tslosetup.image=$image is a disk, without a file system for $1=$2" || return
	tslosetup_is_file "$2" || tslosetup_fail "not a file on what the image lies on: $1=$2"
}

# tslosetup_node TAG=VALUE: the link that udev makes for it.
tslosetup_node() {
	case ${1%%=*} in
	UUID) echo "/dev/disk/by-uuid/${1#*=}" ;;
	LABEL) echo "/dev/disk/by-label/${1#*=}" ;;
	PARTUUID) echo "/dev/disk/by-partuuid/${1#*=}" ;;
	PARTLABEL) echo "/dev/disk/by-partlabel/${1#*=}" ;;
	esac
}

# tslosetup_open_folder: what all the others are in. It is noexec, as /run is, and systemd looks whether
# it may call what tslosetup_prepare_shutdown puts there.
tslosetup_open_folder() {
	mkdir -p /run/initramfs
	tslosetup_mount -o bind /run/initramfs /run/initramfs &&
		tslosetup_mount -o remount,bind,exec /run/initramfs
	mkdir -p "$TSLOSETUP_ROOT" "$TSLOSETUP_SOURCE"
}

# --- where the image lies ----------------------------------------------------------------------

# klibc's mount, which an initramfs may have, knows less.
tslosetup_mount() {
	if [ -x /bin/busybox ]; then /bin/busybox mount "$@"; else mount "$@"; fi
}

# tslosetup_wait_for NODE: udev may still be at it; 60 seconds at most.
tslosetup_wait_for() {
	local seconds=0
	while [ ! -b "$1" ]; do
		[ "$seconds" -lt 60 ] || tslosetup_fail "there is no $1" || return
		sleep 1
		seconds=$((seconds + 1))
	done
}

# tslosetup_open_source: mounts what the image lies on, and sets $file to its path in there.
tslosetup_open_source() {
	local mode=rw
	[ -z "$is_read_only" ] || mode=ro
	[ "$kind" != device ] || tslosetup_wait_for "$place" || return
	if [ -z "$path" ]; then file=$place; return; fi
	[ "$kind" != nfs ] || ! tslosetup_lacks_nfs ||
		tslosetup_fail "no NFS in this initramfs: install its tools where it is made" || return
	file=$TSLOSETUP_SOURCE$path
	mode=$mode,nodev,nosuid${mount_options:+,$mount_options}
	"tslosetup_mount_$kind" "$mode" || tslosetup_fail "cannot mount $place"
}

tslosetup_mount_device() {
	local type
	type=$(blkid -o value -s TYPE "$place") || tslosetup_fail "no file system on $place" || return
	modprobe -q "$type"
	tslosetup_mount -t "$type" -o "$1" "$place" "$TSLOSETUP_SOURCE"
}

tslosetup_mount_9p() {
	modprobe -qa 9pnet_virtio 9p
	tslosetup_mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$1" "$place" "$TSLOSETUP_SOURCE"
}

tslosetup_mount_virtiofs() {
	modprobe -q virtiofs
	tslosetup_mount -t virtiofs -o "$1" "$place" "$TSLOSETUP_SOURCE"
}

# Only where the initramfs has been given it.
TSLOSETUP_NFS=/usr/lib/tslosetup/nfs.sh
# shellcheck disable=SC1090
[ ! -e "$TSLOSETUP_NFS" ] || . "$TSLOSETUP_NFS"

tslosetup_lacks_nfs() { [ ! -e "$TSLOSETUP_NFS" ]; }

# --- the root of its own -----------------------------------------------------------------------

# tslosetup_open_root: mounts it from the initramfs's own memory, where it stays compressed: what is
# needed of it is in the page cache, which the kernel can empty.
tslosetup_open_root() {
	[ -z "$program" ] || TSLOSETUP_PACKED=$TSLOSETUP_SOURCE$program
	modprobe -qa loop squashfs
	tslosetup_mount -t squashfs -o loop,ro "$TSLOSETUP_PACKED" "$TSLOSETUP_ROOT" ||
		tslosetup_fail "cannot mount $TSLOSETUP_PACKED" || return
	for folder in /dev /proc /sys /run "$TSLOSETUP_SOURCE"; do
		tslosetup_mount -o bind "$folder" "$TSLOSETUP_ROOT$folder"
	done
}

# tslosetup_run ARGUMENTS...
tslosetup_run() { chroot "$TSLOSETUP_ROOT" /bin/tslosetup "$@"; }

# tslosetup_attach: attaches $file, and sets $device to the disk and $root_device to what root is on.
tslosetup_attach() {
	modprobe -qa nbd fuse erofs
	set -f
	# shellcheck disable=SC2086
	device=$(tslosetup_run --find --show --partscan --file-fmt-type "$format" \
		${overlay:+"--overlay=$(tslosetup_overlay)"} $options -- "$file")
	set -- $?
	set +f
	[ "$1" = 0 ] || tslosetup_fail "cannot attach $file" || return
	root_device=$device
	[ -z "$partition" ] || root_device=${device}p$partition
	if ! tslosetup_wait_for "$root_device"; then
		tslosetup_run --detach "$device"
		return 1
	fi
	echo "$device" >>"$TSLOSETUP_DEVICES"
}

# A file is named as the image is; ram is no file.
tslosetup_overlay() {
	case $overlay in
	/*) echo "$TSLOSETUP_SOURCE$overlay" ;;
	ram) echo ram ;;
	*) echo "${file%/*}/$overlay" ;;
	esac
}

# tslosetup_boot: all of it; for who has called tslosetup_read_words. Sets $device and $root_device.
tslosetup_boot() {
	tslosetup_read_image "$image" &&
		tslosetup_check_words &&
		tslosetup_open_folder &&
		tslosetup_open_source &&
		tslosetup_open_root &&
		tslosetup_attach &&
		tslosetup_prepare_shutdown
}

# --- the end -----------------------------------------------------------------------------------

# tslosetup_prepare_shutdown: has systemd-shutdown call /shutdown in /run/initramfs once it has ended
# all processes; an initramfs that has its own way there defines this anew. What is mounted in that
# folder does not come along: the links lead to where it is then.
tslosetup_prepare_shutdown() {
	cp "$TSLOSETUP_ROOT/shutdown" /run/initramfs/shutdown
	for name in bin lib lib64 usr; do
		[ ! -d "$TSLOSETUP_ROOT/$name" ] ||
			ln -sfn "oldroot$TSLOSETUP_ROOT/$name" "/run/initramfs/$name"
	done
}
