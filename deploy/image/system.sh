#!/bin/sh
# The system part of the image, as root on Debian 12 with Node 20: OpenSlide, certificates, an init, and the user that runs services.
set -eu
uid=10001

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# tini passes signals on and gives SIGTERM its meaning while a service still starts: process 1 without a handler ignores it.
apt-get install -qq --yes --no-install-recommends ca-certificates libopenslide0 tini >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/*

groupadd --gid "$uid" radhical
useradd --uid "$uid" --gid "$uid" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin radhical
