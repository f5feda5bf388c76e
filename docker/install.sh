#!/usr/bin/env bash
# What the second stage of docker/Dockerfile does: installs the server and the command line from the
# packages in a directory into a bare Debian 12.
#
#   docker/install.sh PACKAGES
set -euo pipefail

[ $# -eq 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
packages=$(realpath "$1")
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends adduser
# A volume outlives the image, so the user that owns it has the same number in every image.
adduser --quiet --system --group --uid 919 --home /var/lib/talosmq --no-create-home talosmq
apt-get install -y -qq --no-install-recommends "$packages"/talosmq_*.deb
rm -rf /var/lib/apt/lists/*
