#!/bin/sh
# tree.sh DIRECTORY PROGRAM…: what these programs need to run, and nothing else, as a root file system: themselves, the
# libraries they are linked with, and of the packages those come from Debian's record and the licence, by which scanners
# and people know what is in the image.
set -eu
tree=$1
shift
mkdir -p "$tree/usr/bin" "$tree/var/lib/dpkg/status.d"
for program in "$@"; do
    cp "$program" "$tree/usr/bin"
    for library in $(ldd "$program" | grep -o '/[^ ]*'); do
        cp --dereference --parents "$library" "$tree"
        # by its own name: the package may have it in /lib or in /usr/lib, which are one
        package=$(dpkg-query -S "*/$(basename "$(realpath "$library")")" | head -n 1 | cut -d : -f 1)
        dpkg-query -s "$package" >"$tree/var/lib/dpkg/status.d/$package"
        cp --dereference --parents "/usr/share/doc/$package/copyright" "$tree"
    done
done
cp --dereference --parents /etc/os-release "$tree"
