#!/usr/bin/env bash
# Runs both README commands from a fresh clone in a bare Debian 12: the long form of "works
# anywhere". As root; needs debootstrap and some 8 GB.
#
#   scripts/chroot-test.sh DIR                     quickstart twice, then test.sh
#   scripts/chroot-test.sh DIR quickstart|test     one of them
#   scripts/chroot-test.sh DIR image               the steps of docker/Dockerfile, one after the other
# DIR holds the Debian, is made when missing and stays afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
directory=$1
what=${2:-all}
[ -e "$directory/usr/bin/apt-get" ] || debootstrap bookworm "$directory"

mkdir -p "$directory/root"
rm -rf "$directory/root/talosmq"
git clone -q "$PWD" "$directory/root/talosmq"
cp /etc/resolv.conf "$directory/etc/resolv.conf"
mountpoint -q "$directory/proc" || mount -t proc proc "$directory/proc"
trap 'umount "$directory/proc" || true' EXIT

inside() {
  echo "=== in the chroot: $*"
  chroot "$directory" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    bash -c "cd /root/talosmq && $*"
}
case $what in
  quickstart) inside ./scripts/quickstart.sh; inside ./scripts/quickstart.sh ;;
  test) inside ./scripts/test.sh ;;
  image) inside packaging/build-package.sh /packages; inside docker/install.sh /packages ;;
  all) inside ./scripts/quickstart.sh; inside ./scripts/quickstart.sh; inside ./scripts/test.sh ;;
  *) echo "chroot-test: expected quickstart, test or image, found '$what'" >&2; exit 2 ;;
esac
