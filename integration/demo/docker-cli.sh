#!/bin/sh
# Provides a docker CLI and no engine. One that is installed is used; otherwise the program alone is taken out of Debian's
# package and put in bin/tools. Prints its path. With --have it only says, by its exit code, whether there is one.
set -eu
cd "$(dirname "$0")/../.."
for cli in $(command -v docker || true) "$PWD/bin/tools/docker"; do
	if "$cli" --version >/dev/null 2>&1; then
		[ "${1:-}" = --have ] || echo "$cli"
		exit 0
	fi
done
[ "${1:-}" != --have ] || exit 1

command -v apt-get >/dev/null 2>&1 || {
	echo "no docker CLI here: install one (FreeBSD: pkg install docker)" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# apt's sandbox user must be able to write here.
chmod 755 "$work"
for package in docker-cli docker.io; do
	(cd "$work" && apt-get download -qq "$package" >/dev/null 2>&1) || continue
	dpkg-deb -x "$work"/"$package"_*.deb "$work/root"
	[ -x "$work/root/usr/bin/docker" ] && break
done
mkdir -p bin/tools
cp "$work/root/usr/bin/docker" bin/tools/docker
echo "$PWD/bin/tools/docker"
