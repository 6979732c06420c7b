/**
 * What systemd is told of images: the template `tslosetup@.service`, and the generator
 * (systemd.generator(7)) that makes a unit of each line of /etc/tslosetuptab.
 *
 * The daemons have scopes of their own, so that the services only attach and detach. Where it lies on
 * its image's file system, and what is to lie on its device, decides when one is started; and so when it
 * is stopped, which is the other way round. The device of one that is in use goes with its last close.
 *
 * @module
 */
import { PROGRAM_MARK } from "./program_mark.ts";

const AUTHOR = "# Made by tslosetup.";

/** What all of the services are. @param asked the option that says which image */
function service(asked: string): string {
  return `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart="${PROGRAM_MARK}" ${asked}
ExecStop="${PROGRAM_MARK}" --detach ${asked}
SendSIGKILL=no
`;
}

const UNIT = `Documentation=man:tslosetup(8)
DefaultDependencies=no
IgnoreOnIsolate=yes
After=systemd-remount-fs.service
Conflicts=umount.target
Before=umount.target
`;

/** `tslosetup@.service`, whose instances are absolute paths, as `systemd-escape --path` makes names of them. */
export function serviceTemplate(): string {
  return `${AUTHOR}
# systemctl start "$(systemd-escape --path --template=tslosetup@.service /srv/disk.qcow2)"
[Unit]
Description=Disk image %f
${UNIT}RequiresMountsFor=%f
AssertPathExists=%f

${service("--tab=%f")}
[Install]
WantedBy=local-fs.target
`;
}

/**
 * \`tslosetup-generator\`. As the units of crypttab(5), those of images that lie on a network are part of
 * remote-fs.target, and others of local-fs.target: by \`_netdev\`, or where fstab says that an image's folder
 * does.
 */
export function unitGenerator(): string {
  return `#!/bin/sh
${AUTHOR}
# Makes units of the lines of /etc/tslosetuptab, in the folder that is the first argument.
set -u
table=\${TSLOSETUPTAB:-/etc/tslosetuptab}
mounts=\${TSLOSETUP_FSTAB:-/etc/fstab}
units=\${1:-/tmp}
[ -f "$table" ] && [ -r "$table" ] || exit 0
[ -r "$mounts" ] || mounts=/dev/null
set -f
line_feed='
'
carriage_return=$(printf '\\r')

# \\\\040 and its like stand for characters, and other backslashes for themselves. No field has a space.
plain() {
	printf '%b' "$(printf %s "$1" |
		sed 's/\\\\\\([0-7][0-7][0-7]\\)/ 0\\1/g; s/\\\\/&&/g; s/ /\\\\/g')"
}
# For the value of a unit's setting.
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\\\"]/\\\\&/g; s/%/%%/g')"; }
has() { case ,$2, in *,"$1",*) return 0 ;; esac; return 1; }

# Whether fstab says that a path lies on a network: the longest of its folders that is mounted.
is_remote() {
	found='' remote=1
	while read -r _ folder type given _; do
		folder=$(plain "$folder")
		case $1 in "\${folder%/}"/*) ;; *) continue ;; esac
		[ \${#folder} -gt \${#found} ] || continue
		found=$folder remote=1
		case $type in
		nfs | nfs4 | cifs | smb3 | smbfs | ceph | glusterfs | lustre | ocfs2 | gfs2 | afs | 9p | fuse.sshfs) remote=0 ;;
		esac
		! has _netdev "$given" || remote=0
	done <<-EOF
	$(grep -v '^[[:space:]]*#' "$mounts" 2>/dev/null)
	EOF
	return "$remote"
}

# The units that mount what is on a device, or its partitions, by its name.
mounts_of() {
	while read -r source folder _ || [ -n "$source" ]; do
		case $source in "$1" | "$1"p[0-9]*) ;; *) continue ;; esac
		case $folder in /*) ;; *) continue ;; esac
		mount=$(systemd-escape --path --suffix=mount -- "$(plain "$folder")") || continue
		echo "Before=$mount"
	done <"$mounts"
}

make_unit() {
	name=$1 image=$2 device=$3 options=$4
	unit=$(systemd-escape --template=tslosetup@.service -- "$name") || return
	target='local-fs.target' order=
	if has _netdev "$options" || is_remote "$image"; then
		target='remote-fs.target'
		order='Wants=network-online.target
After=network-online.target remote-fs-pre.target
'
	fi
	case $device in
	/dev/*)
		block=$(systemd-escape --path -- "$device") || return
		order="\${order}Wants=blockdev@$block.target
Before=blockdev@$block.target
$(mounts_of "$device")
"
		mkdir -p "$units/$block.device.wants"
		ln -sf "../$unit" "$units/$block.device.wants/$unit" ;;
	esac
	has noauto "$options" || has nofail "$options" || order="\${order}Before=$target
"
	cat >"$units/$unit" <<-EOF
	${AUTHOR}
	[Unit]
	Description=Disk image %I
	SourcePath=$table
	${UNIT.trimEnd().replaceAll("\n", "\n\t")}
	RequiresMountsFor=$(quoted "$image")
	$order
	${service("$(quoted \"--tab=$name\" | sed 's/[$]/&&/g')").trimEnd().replaceAll("\n", "\n\t")}
	EOF
	has noauto "$options" && return
	if has nofail "$options"; then folder=$target.wants; else folder=$target.requires; fi
	mkdir -p "$units/$folder"
	ln -sf "../$unit" "$units/$folder/$unit"
}

# Says what is wrong with the line that is read.
bad() { printf 'tslosetup-generator: %s:%s: %s: %s\\n' "$table" "$number" "$1" "$line" >&2; }

# As --tab takes it, and no other.
take_line() {
	case "$*" in *[[:cntrl:]]* | *\\\\0[0-3][0-7]* | *\\\\177*) bad 'control character' && return ;; esac
	case $# in [2-4]) ;; *) bad "$form" && return ;; esac
	name=$(plain "$1") image=$(plain "$2") device=$(plain "\${3:--}")
	case $image in /*) ;; *) bad "$form" && return ;; esac
	case $image/$line_feed$device/ in */../*) bad '.. in a path' && return ;; esac
	case $names in *"$line_feed$name$line_feed"*) bad 'has a line already' && return ;; esac
	names=$names$name$line_feed
	make_unit "$name" "$image" "$device" "\${4:-}"
}

number=0 names=$line_feed form='not NAME /IMAGE [DEVICE [OPTIONS]]'
while IFS= read -r line || [ -n "$line" ]; do
	number=$((number + 1)) line=\${line%"$carriage_return"}
	# shellcheck disable=SC2086 # these are its fields
	set -- $line
	case \${1:-} in '' | '#'*) continue ;; esac
	take_line "$@"
done <"$table"
exit 0
`;
}
