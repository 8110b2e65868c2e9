#!/bin/sh
# Install what a target needs and the system lacks; silent and quick when everything is there.
#
#	tools/install.sh build|run|check|linux
#
# Looks for the files and commands themselves, so a tool that came from elsewhere counts.  Status
# 3: something is missing and cannot be installed here; the packages are named, in Debian's words.
set -u

missing=''

need() {	# package, command
	command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

need_file() {	# package, one or more places, any of which will do
	package=$1
	shift
	for place; do
		[ -e "$place" ] && return
	done
	missing="$missing $package"
}

# The sanitizers' runtime is a package of its own, with clang's major version in its name.
need_clang_runtime() {
	if ! command -v "${CLANG:-clang}" >/dev/null 2>&1; then
		missing="$missing libclang-rt-dev"
		return
	fi
	runtime=$("${CLANG:-clang}" -print-file-name=libclang_rt.asan-x86_64.a)
	[ -e "$runtime" ] && return
	runtime=$("${CLANG:-clang}" -print-runtime-dir 2>/dev/null)/libclang_rt.asan.a
	[ -e "$runtime" ] && return
	version=$("${CLANG:-clang}" -dumpversion)
	missing="$missing libclang-rt-${version%%.*}-dev"
}

lib=/usr/lib/x86_64-linux-gnu

build() {
	need make make
	need clang "${CLANG:-clang}"
	need lld "${LD_LLD:-ld.lld}"
	need llvm "${OBJCOPY:-llvm-objcopy}"
	need_file gnu-efi /usr/include/efi/efi.h
	need_file libfdt-dev /usr/include/libfdt.h
	need_file libfdt-dev "$lib/libfdt.a" /usr/lib/libfdt.a /usr/lib64/libfdt.a
	# tools/ and tests are programs for this machine.
	need_file libc6-dev /usr/include/stdio.h
}

run() {
	build
	need python3 "${PYTHON:-python3}"
	need mtools mcopy
	need dosfstools /sbin/mkfs.fat
	# QEMU= and OVMF= name the user's own.
	[ -n "${QEMU:-}" ] || need qemu-system-x86 qemu-system-x86_64
	[ -n "${OVMF:-}" ] || need_file ovmf /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_CODE.fd
}

check() {
	run
	need_clang_runtime
	need_file libcmocka-dev /usr/include/cmocka.h
	need valgrind valgrind
	need pkg-config pkg-config
}

# A kernel is built, and Linux runs in guests.
linux() {
	check
	need gcc gcc
	need bc bc
	need bison bison
	need flex flex
	need_file libelf-dev /usr/include/libelf.h
	need_file libssl-dev /usr/include/openssl/ssl.h
	need xz-utils xz
	need_file busybox-static /bin/busybox /usr/bin/busybox
	need sbsigntool sbsign
	need openssl openssl
}

case ${1:-} in
build|run|check|linux) "$1" ;;
*) echo 'usage: install.sh build|run|check|linux' >&2; exit 2 ;;
esac

# One package may stand for several files.
# shellcheck disable=SC2086
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

refuse() {
	echo "install.sh: missing here: $missing; $1" >&2
	exit 3
}

command -v apt-get >/dev/null 2>&1 ||
	refuse 'there is no apt-get, install what these Debian packages hold and run again'
sudo=''
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || refuse 'install them as root and run again'
	sudo=sudo
	# Nobody is there to type a password.
	[ -t 0 ] || sudo='sudo -n'
fi

install() {
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
		install --no-install-recommends $missing
}

echo "install.sh: installing $missing"
# The lists are usually there and new enough; only when they are not is it worth the wait.
install || {
	# shellcheck disable=SC2086
	$sudo apt-get -q update && install
} || refuse 'apt-get could not install them, its own words are above'
