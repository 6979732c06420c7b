#!/bin/sh
# install.sh: install tslosetup.
#
#   curl -fsSL https://…/install.sh | sh     install a release binary
#   ./install.sh                             in a checkout: build it, or install the sources
#   ./install.sh --with-boot                 and what boots a machine from an image: src/boot/README.md
#   ./install.sh --uninstall                 remove what an earlier run installed
#
# Environment:
#   PREFIX             where to install: /usr/local for root, ~/.local for others
#   DESTDIR            put before PREFIX while copying, for packagers
#   TSLOSETUP_INSTALL  auto (default), release, build or source
#   TSLOSETUP_URL      the release binary (https://, http:// or file://); <URL>.sha256 must exist
#
# Besides the program, its man page and completions for bash, zsh and fish are installed below
# PREFIX/share: the program prints them itself. So it does with what an installation for the whole system
# (by root, or below DESTDIR) has besides: systemd's units, and the helpers of mount(8).
#
# auto: outside a checkout a release. In a checkout: the release if TSLOSETUP_URL is set, else a
# build, else (where Deno's compile base cannot be had) the sources with a launcher for Deno.
#
# Everything is prepared and tried out beside its destination and then put in place by one
# rename(2): a failure leaves the previous installation as it was. Nothing runs before the last
# line is read, so a download cut short does nothing.
set -eu

DENO_VERSION=2.7.14
RELEASES=https://github.com/tslosetup/tslosetup/releases/latest/download
DENO_RELEASES=https://github.com/denoland/deno/releases/download

say() { echo "tslosetup: $*"; }
fail() { echo "install.sh: $*" >&2; exit 1; }
# Notes why a way to install is not open; the next one may be.
no_way() { reason=$*; return 1; }
have() { command -v "$1" >/dev/null 2>&1; }

usage() {
	cat <<-'EOF'
	Usage: install.sh [--with-boot | --uninstall | --help]
	Installs tslosetup below $PREFIX (/usr/local for root, ~/.local for others).
	TSLOSETUP_INSTALL=auto|release|build|source chooses how, TSLOSETUP_URL names the release binary.
	EOF
}

# --- the machine -------------------------------------------------------------------------------

check_machine() {
	[ "$(uname -s)" = Linux ] || fail "tslosetup runs on Linux only, this is $(uname -s)"
	case $(uname -m) in
	x86_64 | amd64) arch=x86_64 ;;
	aarch64 | arm64) arch=aarch64 ;;
	*) fail "no tslosetup for this architecture: $(uname -m) (x86_64 and aarch64 only)" ;;
	esac
	check_libc
}

check_libc() {
	libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=$(ldd --version 2>&1 | head -n 1) || :
	case $libc in
	*musl*) fail "this system uses musl libc; tslosetup needs glibc 2.27 or newer" ;;
	glibc\ *) at_least "${libc#glibc }" 2 27 || fail "tslosetup needs glibc 2.27 or newer, this is $libc" ;;
	*[Gg][Ll][Ii][Bb][Cc]* | *GNU\ libc*) ;;
	*) fail "tslosetup needs glibc 2.27 or newer; none was found" ;;
	esac
}

# at_least VERSION MAJOR MINOR
at_least() {
	major=${1%%.*} minor=${1#*.} minor=${minor%%[!0-9]*}
	case $major$minor in '' | *[!0-9]*) return 1 ;; esac
	[ "$major" -gt "$2" ] || { [ "$major" -eq "$2" ] && [ "${minor:-0}" -ge "$3" ]; }
}

# --- what takes its time ------------------------------------------------------------------------

# metered FILE COMMAND...: runs a command, and says on a terminal how long it has been at it, and how
# much of FILE there is.
metered() {
	[ -t 2 ] || { shift; "$@"; return; }
	meter "$1" >&2 </dev/null &
	meter=$!
	shift
	status=0
	"$@" || status=$?
	stop_meter
	return "$status"
}

meter() {
	seconds=0
	while sleep 1; do
		seconds=$((seconds + 1))
		bytes=$({ wc -c <"$1"; } 2>/dev/null) || bytes=
		printf '\r  %s s%s' "$seconds" "${bytes:+, $((bytes / 1000)) kB}"
	done
}

stop_meter() {
	[ -n "$meter" ] || return 0
	kill "$meter" 2>/dev/null || :
	wait "$meter" 2>/dev/null || :
	meter=''
	printf '\r\033[K' >&2
}

# --- downloads ---------------------------------------------------------------------------------

# fetch URL FILE
fetch() { metered "$2" transfer "$@"; }

transfer() {
	case $1 in
	file://*) detail=$(cp "${1#file://}" "$2" 2>&1) ;;
	https://*) fetch_http "=https" "$@" ;;
	http://*) fetch_http "=http,https" "$@" ;;
	*) fail "not an https://, http:// or file:// URL: $1" ;;
	esac
}

fetch_http() {
	if have curl; then
		detail=$(curl -fsSL --proto "$1" -o "$3" "$2" </dev/null 2>&1)
	elif have wget; then
		detail=$(wget -nv -O "$3" "$2" </dev/null 2>&1)
	else
		detail="neither curl nor wget is installed"
		return 1
	fi
}

last_line() { printf '%s\n' "$1" | tail -n 1; }

sha256_of() {
	if have sha256sum; then sha256sum <"$1"; elif have shasum; then shasum -a 256 <"$1"; else
		openssl dgst -sha256 -r <"$1"; fi | cut -c 1-64
}

# fetch_verified URL CHECKSUM_URL FILE
fetch_verified() {
	fetch "$1" "$3" || no_way "cannot download $1: $(last_line "$detail")" || return 1
	fetch "$2" "$3.sum" || no_way "no checksum for the download: $(last_line "$detail")" || return 1
	expected=$(cut -c 1-64 <"$3.sum" | head -n 1 | tr A-F a-f)
	actual=$(sha256_of "$3") || actual=
	{ [ ${#actual} -eq 64 ] && [ "$actual" = "$expected" ]; } || no_way "checksum mismatch for $1"
}

# --- Deno: on PATH, from its installer, from npm, from its site ---------------------------------

find_deno() {
	[ -z "$deno" ] || return 0
	for deno in "$(command -v deno || :)" "${DENO_INSTALL:-${HOME:-/nonexistent}/.deno}/bin/deno"; do
		suitable_deno && return 0
	done
	npm_deno || download_deno || fail "no Deno 2.7 or newer here, nor from npm, nor from its site ($reason)"
}

# The npm package puts a script before the program: ask the program where it is.
suitable_deno() {
	[ -x "$deno" ] || return 1
	deno=$("$deno" eval 'console.log(Deno.execPath())' </dev/null 2>/dev/null) || return 1
	version=$("$deno" --version 2>/dev/null) || return 1
	version=${version#deno }
	at_least "${version%%[!0-9.]*}" 2 7
}

npm_deno() {
	have npx || return 1
	say "getting Deno $DENO_VERSION from npm"
	metered '' npx_deno && suitable_deno
}

npx_deno() {
	deno=$(cd "$work" && HOME=${HOME:-$work} npx --yes "deno@$DENO_VERSION" \
		eval 'console.log(Deno.execPath())' </dev/null 2>/dev/null)
}

download_deno() {
	zip=${TSLOSETUP_DENO_URL:-$DENO_RELEASES/v$DENO_VERSION/deno-$arch-unknown-linux-gnu.zip}
	say "getting Deno $DENO_VERSION from its site"
	fetch_verified "$zip" "$zip.sha256sum" "$work/deno.zip" && unpack "$work/deno.zip" "$work" || return 1
	deno=$work/deno
	chmod 755 "$deno" && suitable_deno
}

unpack() {
	if have unzip; then unzip -q -o "$1" -d "$2"; elif have bsdtar; then bsdtar -x -f "$1" -C "$2"; else
		python3 -m zipfile -e "$1" "$2"; fi >/dev/null 2>&1
}

# --- the three ways ----------------------------------------------------------------------------

install_release() {
	url=${TSLOSETUP_URL:-$RELEASES/tslosetup-linux-$arch}
	say "downloading $url"
	fetch_verified "$url" "$url.sha256" "$stage/tslosetup" && try_staged && move_in_place && prune_sources ''
}

# Compiles a copy, for `deno compile` embeds a node_modules folder lying near.
install_build() {
	find_deno || return 1
	say "compiling the sources in $checkout"
	{ mkdir -p "$work/build" && copy_sources "$work/build"; } || no_way "cannot copy the sources" || return 1
	metered '' compile_copy || no_way "deno compile: $(error_in "$work/log")" || return 1
	cp "$work/build/dist/tslosetup" "$stage/tslosetup" || no_way "cannot copy the binary" || return 1
	try_staged && move_in_place && prune_sources ''
}

compile_copy() { (cd "$work/build" && "$deno" task --quiet compile) </dev/null >"$work/log" 2>&1; }

# Sources, npm packages and Deno itself go into a new folder: it needs no network, no cache and no
# home folder later, and works for every user.
install_source() {
	find_deno || return 1
	say "installing the sources, to run on Deno"
	{ mkdir -p "$libdir" && sources=$(mktemp -d "$libdir/sources.XXXXXX"); } 2>/dev/null ||
		no_way "cannot write to $libdir" || return 1
	{ chmod 755 "$sources" && cp "$deno" "$sources/deno" && copy_sources "$sources"; } ||
		no_way "cannot copy the sources to $sources" || return 1
	metered '' find_flags ||
		no_way "cannot get the npm packages: $(error_in "$work/log")" || return 1
	launcher "$sources" "$flags" >"$stage/tslosetup" && try_staged || return 1
	# Below DESTDIR the folder's later name differs from the one just tried.
	launcher "$PREFIX/lib/tslosetup/${sources##*/}" "$flags" >"$stage/tslosetup" || return 1
	kept=$sources sources=''
	move_in_place || { sources=$kept; return 1; }
	prune_sources "$kept"
}

find_flags() { flags=$(settle_sources 2>"$work/log"); }

# What a log says of what went wrong, on one line: of an error of Deno's, what has caused it, too.
error_in() {
	line=$({ grep 'sending request' "$1" || grep -i error "$1" || tail -n 1 "$1"; } | head -n 1)
	printf %s "$line" | sed 's/^[ 0-9]*: //'
	case $line in error:*) causes_in "$1" ;; esac
}

causes_in() {
	sed -n '/^Caused by:$/,/^$/s/^ \{1,\}\([0-9]*: \)\{0,1\}//p' "$1" | while read -r cause; do printf ': %s' "$cause"; done
}

copy_sources() {
	cp -R "$checkout/src" "$checkout/deno.json" "$1" || return 1
	[ ! -e "$checkout/deno.lock" ] || cp "$checkout/deno.lock" "$1"
}

# Puts the npm packages beside the sources and prints the permissions the compile task gives.
settle_sources() (
	cd "$sources"
	frozen=--frozen
	[ -e deno.lock ] || frozen=--no-lock
	DENO_DIR=$work/deno_dir ./deno install --quiet "$frozen" --node-modules-dir=auto \
		--entrypoint src/main.ts </dev/null >&2 || return 1
	rm -f deno.lock
	./deno eval --no-lock '
		const settings = JSON.parse(Deno.readTextFileSync("deno.json"));
		const task = settings.tasks.compile.command ?? settings.tasks.compile;
		Object.assign(settings, { nodeModulesDir: "manual", lock: false });
		Deno.writeTextFileSync("deno.json", JSON.stringify(settings, null, 2) + "\n");
		const words = task.split(/\s+/).map((word) => word.replace(/["\x27]/g, ""));
		console.log(words.filter((word) => /^--(allow|deny|unstable|v8)-[\w=,.:*\/-]+$/.test(word)).join(" "));
	' </dev/null
)

# launcher FOLDER FLAGS: prints the launcher of the sources in FOLDER. Starting a worker takes the
# permission to read its module, unlike in a compiled program.
launcher() {
	quoted=\'$(printf %s "$1" | sed "s/'/'\\\\''/g")\'
	cat <<-EOF
	#!/bin/sh
	# Runs the sources of tslosetup on Deno. Written by install.sh.
	export DENO_DIR=$quoted/cache DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
	# Deno makes the file that it names.
	unset SSLKEYLOGFILE
	exec $quoted/deno run --no-prompt --cached-only --no-code-cache $2 --allow-read=$quoted/src \\
		$quoted/src/main.ts "\$@"
	EOF
}

# --- putting in place --------------------------------------------------------------------------

# Runs what is staged, without the caller's environment: it has to work at early boot, too.
try_staged() {
	chmod 755 "$stage/tslosetup"
	version=$(env -i "$stage/tslosetup" --version 2>&1 </dev/null) ||
		no_way "what would be installed does not run here: $(echo "$version" | head -n 1)" || return 1
	stage_documents
}

move_in_place() {
	{ chmod 755 "$stage/tslosetup" && mv -f "$stage/tslosetup" "$bindir/tslosetup"; } ||
		no_way "cannot write $bindir/tslosetup" || return 1
	place_documents
}

# What the program says of itself: how to ask for it, how it begins, its mode, and its place below PREFIX.
documents() {
	cat <<-'EOF'
	man .\" 644 share/man/man8/tslosetup.8
	bash # 644 share/bash-completion/completions/tslosetup
	zsh #compdef 644 share/zsh/site-functions/_tslosetup
	fish # 644 share/fish/vendor_completions.d/tslosetup.fish
	EOF
	! is_for_system || system_documents
}

# What only an installation for the whole system has.
system_documents() {
	cat <<-'EOF'
	mount-page .so 644 share/man/man8/mount.tslosetup.8
	table-page .so 644 share/man/man5/tslosetuptab.5
	service # 644 lib/systemd/system/tslosetup@.service
	generator #!/bin/sh 755 lib/systemd/system-generators/tslosetup-generator
	mount #!/bin/sh 755 sbin/mount.tslosetup
	umount #!/bin/sh 755 sbin/umount.tslosetup
	EOF
}

is_for_system() { [ -n "$DESTDIR" ] || [ "$(id -u)" -eq 0 ]; }

# mount(8) looks for its helpers in /sbin alone, systemd for units below /usr and /usr/local.
is_searched() { [ "$PREFIX" = /usr ] || [ "$PREFIX" = /usr/local ]; }

say_if_not_searched() {
	is_for_system && ! is_searched && [ -e "$DESTDIR$PREFIX/sbin/mount.tslosetup" ] || return 0
	say "note: neither mount(8) nor systemd looks below $PREFIX: mount -t tslosetup, /etc/tslosetuptab and" \
		"tslosetup@.service need PREFIX=/usr/local or /usr"
}

MOUNT_HELPERS='mount.tslosetup umount.tslosetup'

# Below DESTDIR nobody knows yet whether /sbin is a link to /usr/sbin, where all this is put in place: it
# is today, and a package must not have one of the two then. A link in it would lead to itself.
helpers_folder() { if [ -n "$DESTDIR" ]; then echo /usr/sbin; else echo /sbin; fi; }

link_mount_helpers() {
	is_for_system && is_searched && [ -e "$DESTDIR$PREFIX/sbin/mount.tslosetup" ] || return 0
	folder=$DESTDIR$(helpers_folder)
	mkdir -p "$folder"
	[ "$(real_folder "$folder")" != "$(real_folder "$DESTDIR$PREFIX/sbin")" ] || return 0
	for helper in $MOUNT_HELPERS; do
		ln -sf "$PREFIX/sbin/$helper" "$folder/$helper" || say "note: cannot write $folder/$helper"
	done
}

real_folder() { (cd "$1" && pwd -P); }

unlink_mount_helpers() {
	folder=$DESTDIR$(helpers_folder)
	for helper in $MOUNT_HELPERS; do
		[ "$(readlink "$folder/$helper" 2>/dev/null)" != "$PREFIX/sbin/$helper" ] || rm -f "$folder/$helper"
	done
}

# Has systemd take notice of what it finds now.
reload_units() {
	[ -z "$DESTDIR" ] && [ "$(id -u)" -eq 0 ] && is_searched && [ -d /run/systemd/system ] || return 0
	systemctl daemon-reload >/dev/null 2>&1 || :
}

# Leaves out what the program, an older release, cannot make.
stage_documents() {
	path=$(printf %s "$PREFIX/bin/tslosetup" | sed 's/[&|\\]/\\&/g')
	documents | while read -r kind mark mode place; do
		env -i "$stage/tslosetup" --internal-generate "$kind" 2>/dev/null </dev/null |
			sed "s|@PROGRAM@|$path|g" >"$stage/$kind" || :
		case $(head -n 1 "$stage/$kind") in "$mark"*) ;; *) rm -f "$stage/$kind" ;; esac
	done
}

place_documents() {
	documents | while read -r kind mark mode place; do
		[ -e "$stage/$kind" ] || continue
		target=$DESTDIR$PREFIX/$place
		{ mkdir -p "${target%/*}" && chmod "$mode" "$stage/$kind" && mv -f "$stage/$kind" "$target"; } 2>/dev/null ||
			say "note: cannot write $target"
	done
	link_mount_helpers
	reload_units
}

# Removes the folders of earlier source installations, except those a daemon still runs from.
prune_sources() {
	for folder in "$libdir"/sources.*; do
		[ "$folder" = "$1" ] || in_use "$folder" || rm -rf "$folder"
	done
	rmdir "$libdir" 2>/dev/null || :
}

in_use() {
	for exe in /proc/[0-9]*/exe; do
		[ "$(readlink "$exe" 2>/dev/null || :)" != "$1/deno" ] || return 0
	done
	return 1
}

uninstall() {
	[ -e "$bindir/tslosetup" ] || [ -e "$libdir" ] || fail "tslosetup is not installed in $DESTDIR$PREFIX"
	rm -rf "$bindir/tslosetup" "$libdir" || fail "cannot remove $bindir/tslosetup: run as root?"
	{ documents; system_documents; } | while read -r _ _ _ place; do rm -f "$DESTDIR$PREFIX/$place"; done
	unlink_mount_helpers
	remove_empty_folders
	reload_units
	uninstall_boot
	say "removed from $DESTDIR$PREFIX"
}

# Those that an installation makes where they are missing; of the usual prefixes, the first ones are the system's.
remove_empty_folders() {
	{ documents; system_documents; } | while read -r _ _ _ place; do echo "${place%/*}"; done | sort -ru |
		while read -r folder; do remove_upwards "$folder"; done
	case $PREFIX in /usr | /usr/local | "${HOME:-}/.local") return ;; esac
	for folder in share/man share lib sbin bin ''; do rmdir "$DESTDIR$PREFIX/$folder" 2>/dev/null || :; done
}

# remove_upwards FOLDER: and those above it, but for what each prefix has.
remove_upwards() {
	folder=$1
	while :; do
		case $folder in share/man | share | lib | bin | sbin) return ;; esac
		rmdir "$DESTDIR$PREFIX/$folder" 2>/dev/null || return 0
		folder=${folder%/*}
	done
}

# --- booting from an image -----------------------------------------------------------------------

INITRAMFS_TOOLS=/etc/initramfs-tools
DRACUT=/usr/lib/dracut

check_boot() {
	{ [ -n "$checkout" ] && [ -d "$checkout/src/boot" ]; } || fail "--with-boot needs a checkout"
	is_for_system || fail "--with-boot is for root: it is about the whole system"
	makes_initramfs "$INITRAMFS_TOOLS" || makes_initramfs "$DRACUT" ||
		fail "neither initramfs-tools nor dracut is installed"
}

# makes_initramfs FOLDER: whether who looks there is to be told; packagers tell everybody.
makes_initramfs() { [ -n "$DESTDIR" ] || [ -d "$1" ]; }

install_boot() {
	for script in "$checkout"/src/boot/*.sh; do
		put_boot 644 "$script" "$PREFIX/lib/tslosetup/boot/${script##*/}"
	done
	! makes_initramfs "$INITRAMFS_TOOLS" || {
		put_boot 755 "$checkout/src/boot/initramfs-tools/hook.sh" "$INITRAMFS_TOOLS/hooks/tslosetup"
		put_boot 755 "$checkout/src/boot/initramfs-tools/local-top.sh" "$INITRAMFS_TOOLS/scripts/local-top/tslosetup"
	}
	! makes_initramfs "$DRACUT" || for script in "$checkout"/src/boot/dracut/*.sh; do
		[ ! -e "$script" ] || put_boot 755 "$script" "$DRACUT/modules.d/90tslosetup/${script##*/}"
	done
}

# put_boot MODE FILE TARGET: with the places of this installation in it.
put_boot() {
	target=$DESTDIR$3
	{
		mkdir -p "${target%/*}" &&
			sed "s|/usr/local/lib/tslosetup|$PREFIX/lib/tslosetup|g; s|/usr/local/bin|$PREFIX/bin|g" "$2" >"$target.new" &&
			chmod "$1" "$target.new" && mv -f "$target.new" "$target"
	} 2>/dev/null || fail "cannot write $target"
}

uninstall_boot() {
	is_for_system || return 0
	rm -f "$DESTDIR$INITRAMFS_TOOLS/hooks/tslosetup" "$DESTDIR$INITRAMFS_TOOLS/scripts/local-top/tslosetup"
	rm -rf "$DESTDIR$DRACUT/modules.d/90tslosetup" "$DESTDIR/var/cache/tslosetup"
}

# --- main --------------------------------------------------------------------------------------

settle_prefix() {
	if [ -z "${PREFIX:-}" ]; then
		if [ "$(id -u)" -eq 0 ]; then PREFIX=/usr/local; else
			[ -n "${HOME:-}" ] || fail "HOME is not set: set PREFIX"
			PREFIX=$HOME/.local
		fi
	fi
	DESTDIR=${DESTDIR:-}
	case $PREFIX in /*) ;; *) fail "PREFIX has to be an absolute path: $PREFIX" ;; esac
	bindir=$DESTDIR$PREFIX/bin libdir=$DESTDIR$PREFIX/lib/tslosetup
}

make_stage() {
	umask 022
	trap cleanup EXIT
	trap 'exit 1' HUP INT TERM
	[ ! -d "$bindir/tslosetup" ] || fail "$bindir/tslosetup is a folder"
	[ -d "$bindir" ] || new=$bindir
	{ mkdir -p "$bindir" && stage=$(mktemp -d "$bindir/.tslosetup.XXXXXX"); } 2>/dev/null ||
		fail "cannot write to $bindir: run as root, or set PREFIX"
	work=$(mktemp -d) || fail "cannot make a temporary folder"
}

cleanup() {
	stop_meter
	rm -rf ${stage:+"$stage"} ${work:+"$work"} ${sources:+"$sources"}
	rmdir "$libdir" ${new:+"$new"} 2>/dev/null || :
}

# The folder this script lies in, if that is a checkout. Piped into sh, it lies nowhere.
find_checkout() {
	case $0 in *install.sh) ;; *) return 0 ;; esac
	folder=$(cd "$(dirname "$0")" && pwd) || return 0
	[ ! -f "$folder/src/main.ts" ] || [ ! -f "$folder/deno.json" ] || checkout=$folder
}

install() {
	case ${TSLOSETUP_INSTALL:-auto} in
	release) install_release || fail "$reason" ;;
	build | source)
		[ -n "$checkout" ] || fail "TSLOSETUP_INSTALL=$TSLOSETUP_INSTALL needs a checkout: run its install.sh"
		"install_$TSLOSETUP_INSTALL" || fail "$reason" ;;
	auto)
		if [ -z "$checkout" ] || [ -n "${TSLOSETUP_URL:-}" ]; then
			install_release || fail "$reason"
		elif ! install_build; then
			say "no binary can be built here ($reason)"
			install_source || fail "$reason"
		fi ;;
	*) fail "TSLOSETUP_INSTALL: auto, release, build or source, not $TSLOSETUP_INSTALL" ;;
	esac
}

main() {
	reason='' detail='' stage='' work='' sources='' checkout='' deno='' new='' meter='' with_boot=''
	case ${1:-} in
	'') ;;
	--with-boot) with_boot=yes ;;
	--uninstall) settle_prefix; uninstall; return ;;
	-h | --help) usage; return ;;
	*) usage >&2; exit 1 ;;
	esac
	check_machine
	settle_prefix
	find_checkout
	[ -z "$with_boot" ] || check_boot
	make_stage
	# Deno knows only its own certificate authorities unless told; a company's proxy needs the system's.
	export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-mozilla,system}" NO_COLOR=1
	install
	[ -z "$with_boot" ] || install_boot
	say "installed $bindir/tslosetup ($version)"
	say_if_not_searched
	case :${PATH:-}: in *:"$PREFIX/bin":*) ;; *) say "note: $PREFIX/bin is not on your PATH" ;; esac
}

{ main "$@"; }
