#!/usr/bin/env bash
# Installs the Debian packages that a task needs and this machine lacks. With nothing to install it
# needs neither root nor network.
#
# Peers to be measured beside are no part of all.
#
#   setup.sh [build|test|clients|demo|peers|all]...     (default: all)
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# Each line: task, a command or file that shows that the package is there, package.
packages() {
  cat <<'LIST'
build make make
build git git
test gcc gcc
test /usr/include/stdio.h libc6-dev
test qemu-img qemu-utils
test xz xz-utils
test zstd zstd
test ip iproute2
test nsenter util-linux
clients az azure-cli
clients /usr/lib/python3/dist-packages/azure/mgmt/compute python3-azure
clients node nodejs
clients npm npm
demo mmdebstrap mmdebstrap
demo sfdisk fdisk
demo mke2fs e2fsprogs
demo mount mount
demo qemu-img qemu-utils
demo openssl openssl
demo zstd zstd
peers restic restic
peers /usr/bin/aws awscli
peers casync casync
demo ip iproute2
demo nsenter util-linux
LIST
}

present() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

root() {
  if ((EUID == 0)); then "$@"; return; fi
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: installing packages needs root, and there is no sudo" >&2
    exit 1
  fi
  sudo "$@"
}

tasks=" ${*:-all} "
missing=()
while read -r task shows package; do
  [[ $tasks == *" all "* && $task != peers || $tasks == *" $task "* ]] || continue
  present "$shows" || [[ " ${missing[*]-} " == *" $package "* ]] || missing+=("$package")
done < <(packages)
((${#missing[@]})) || exit 0

echo "installing: ${missing[*]} (Debian packages)"
if ! command -v apt-get >/dev/null; then
  echo "setup.sh: no apt-get here; install them by other means" >&2
  exit 1
fi
# Package lists may be old or absent, so a first refusal is followed by an update.
install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}")
root "${install[@]}" >/dev/null 2>&1 || { root apt-get -qq update && root "${install[@]}" >/dev/null; }
