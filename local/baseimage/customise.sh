#!/bin/sh
# Gives a Debian with Python the shape of the official python image. $1 is its root folder.
set -eu
root=$1
lib=/usr/local/lib/python3.11

# mmdebstrap copies these from the machine it runs on.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root/var/cache/ldconfig/aux-cache"

for name in python python3 python3.11; do
  ln -s ../../bin/python3.11 "$root/usr/local/bin/$name"
done

# The official Python looks into site-packages, Debian's into dist-packages: here both serve.
mkdir -p "$root$lib/site-packages" "$root$lib/dist-packages"
echo "$lib/site-packages" > "$root$lib/dist-packages/site-packages.pth"

# pip, from Debian's wheel of it; and, as in the official image, it may install into the system.
chroot "$root" sh -c "python3.11 -m zipfile -e /usr/share/python-wheels/pip-*.whl $lib/site-packages"
chroot "$root" dpkg --purge python3-pip-whl
rm -f "$root/usr/lib/python3.11/EXTERNALLY-MANAGED"
for name in pip pip3 pip3.11; do
  cat > "$root/usr/local/bin/$name" <<'PIP'
#!/usr/local/bin/python3.11
import sys
from pip._internal.cli.main import main
sys.exit(main())
PIP
  chmod 755 "$root/usr/local/bin/$name"
done

# Compiled files hold the time of their source, which the reproducible archive changes; the official image has none.
find "$root/usr" -name __pycache__ -prune -exec rm -rf {} +
rm -f "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/var/cache/debconf/*-old
