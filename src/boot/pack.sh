#!/bin/sh
# pack.sh FILE [PROGRAM]: packs the root that a machine's root is served from into FILE, a squashfs:
# tslosetup, the libraries it loads, a shell with its tools, folders to mount on. What is there is kept
# if it is whole and has been made of the same files, as FILE.made-of says: compressing takes half a
# minute. Several may be at it at once: the last one's file stays. The folder of FILE is made if it is
# missing.
set -eu
export LC_ALL=C

fail() { echo "tslosetup: $*" >&2; exit 1; }

case $# in 1 | 2) ;; *) echo "Usage: pack.sh FILE [PROGRAM]" >&2; exit 1 ;; esac
file=$1
{ [ ! -e "$file" ] || [ -f "$file" ]; } || fail "$file is no file to replace"
program=${2:-$(command -v tslosetup)} || fail "tslosetup is not installed"
[ "$(head -c 4 "$program" | tail -c 3)" = ELF ] ||
	fail "$program is no binary: install a build or a release (TSLOSETUP_INSTALL)"
here=$(dirname "$(readlink -f "$0")")
command -v mksquashfs >/dev/null || fail "mksquashfs is missing: install squashfs-tools"
shell=$(command -v busybox) || fail "busybox is missing"
command -v ldd >/dev/null || fail "ldd is missing: it tells what libraries are loaded"
# Loaded while the program runs, where they are: codec/libraries.ts
optional='libdeflate.so.0 libzstd.so.1 liblzma.so.5 libbz2.so.1.0 libz.so.1'
applets='sh dd mount umount chroot sync reboot poweroff halt cat ln sleep'

optional_paths() {
	for name in $optional; do
		/sbin/ldconfig -p | sed -n "s/^[[:space:]]*$name (.*x86-64.*=> //p; s/^[[:space:]]*$name (.*AArch64.*=> //p" | head -n 1
	done
}

# libraries: what the dynamic linker would load for all of them, and what they load while they run.
libraries() {
	more=$(optional_paths)
	needed=$(ldd "$program" 2>&1) || fail "ldd does not tell what libraries $program loads: $needed"
	# A busybox may need none.
	# shellcheck disable=SC2086
	needed=$needed$newline$(ldd "$shell" $more 2>&1) || :
	case $needed in *'not found'*) fail "libraries are missing: $(printf '%s' "$needed" | grep 'not found')" ;; esac
	printf '%s\n' "$needed" | sed -n 's/^[^/]*\(\/[^ :]*\) (0x.*/\1/p'
	# shellcheck disable=SC2086
	printf '%s\n' $more
}

copy() { mkdir -p "$tree/$(dirname "$2")" && cp -L --preserve=mode,timestamps "$1" "$tree/$2"; }

newline='
'
files=$(libraries)
files=$(printf '%s\n' "$files" | sort -u)
# shellcheck disable=SC2086
made_of=$(cksum "$here/pack.sh" "$here/shutdown.sh" && stat -L -c '%n %s %Y' "$program" "$shell" $files)
[ ! -e "$file" ] || [ "$(cat "$file.made-of" 2>/dev/null)" != "$made_of$newline$(cksum <"$file")" ] || exit 0

tree='' new=''
trap 'rm -rf "$tree" "$new"' EXIT
trap 'exit 1' HUP INT TERM
tree=$(mktemp -d)
chmod 755 "$tree"
for folder in dev proc sys run bin var/tmp; do mkdir -p "$tree/$folder"; done
for each in $files; do copy "$each" "$each"; done
copy "$program" bin/tslosetup
copy "$shell" bin/busybox
for applet in $applets; do ln -s busybox "$tree/bin/$applet"; done
copy "$here/shutdown.sh" shutdown
chmod 755 "$tree/shutdown"
mkdir -p "$(dirname "$file")"
new=$(mktemp "$file.XXXXXX")
chmod 644 "$new"
echo "tslosetup: packing $program into $file, which takes half a minute" >&2
mksquashfs "$tree" "$new" -comp zstd -Xcompression-level 15 -b 256K -all-root -noappend \
	-no-progress -quiet >/dev/null
made_of=$made_of$newline$(cksum <"$new")
sync "$new"
mv -f "$new" "$file"
printf '%s\n' "$made_of" >"$file.made-of"
