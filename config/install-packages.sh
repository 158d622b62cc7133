#!/bin/sh
# install-packages.sh KIND…: installs what is missing of the packages of those kinds (config/packages.txt).
# As root, or as a user with sudo; otherwise it says what is missing and stops.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
missing=
for kind in "$@"; do
    for package in $(sed -n "s/^$kind  *//p" "$here/packages.txt"); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-packages: missing, and neither root nor sudo to install them:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
if ! command -v apt-get >/dev/null; then
    echo "install-packages: missing, and no apt-get to install them:$missing" >&2
    exit 1
fi
echo "install-packages: installing$missing" >&2
$as_root apt-get update -qq >&2
# no service may start by being installed; shellcheck disable=SC2086: the list is words
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends $missing >&2 || {
    echo "install-packages: apt-get could not install:$missing" >&2
    exit 1
}
