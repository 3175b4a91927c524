#!/bin/sh
# "make demo": containers through a stock docker CLI, on a daemon of its own, without any network. It takes a few seconds,
# touches no other engine and cleans up behind itself; KEEP=1 leaves the daemon running to go on by hand.
set -eu
cd "$(dirname "$0")/../.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '\033[36m$ %s\033[0m\n' "$*"
	"$@"
}

case $(uname -s) in
FreeBSD)
	echo "On FreeBSD the daemon runs jails: see \"On FreeBSD\" in README.md. This demonstration is for Linux."
	exit 1
	;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "make demo must run as root: it makes network interfaces and mounts. (make test runs without root.)"
	exit 1
fi

say "1. What is needed: an OCI runtime, nftables' kernel part, a docker CLI (no other engine is started)"
want=
command -v runc >/dev/null 2>&1 || command -v crun >/dev/null 2>&1 || want="$want runc"
command -v curl >/dev/null 2>&1 || want="$want curl"
if [ -n "$want" ]; then
	apt-get update -qq
	sh integration/demo/quiet-install.sh $want
fi
sh integration/demo/docker-cli.sh --have || apt-get update -qq
docker=$(sh integration/demo/docker-cli.sh)
docker() { DOCKER_HOST=unix://$state/docker.sock DOCKER_CONFIG=$state/cli command "$docker" "$@"; }

state=${XC_DEMO_DIR:-$(mktemp -d /tmp/xc-demo.XXXXXX)}
mkdir -p "$state/cli"
pid=
finish() {
	code=$?
	if [ -n "${KEEP:-}" ] && [ $code = 0 ]; then
		say "The daemon goes on. By hand:"
		echo "  export DOCKER_HOST=unix://$state/docker.sock"
		echo "  docker ps -a"
		echo "and to clean up:"
		echo "  docker rm -f \$(docker ps -aq); bin/xcd purge --state-dir $state/state; kill $pid; rm -rf $state"
		return
	fi
	if [ -n "$pid" ]; then
		[ $code = 0 ] || { echo "the daemon's log:"; tail -n 40 "$state/xcd.log"; }
		ids=$(docker ps -aq 2>/dev/null || true)
		[ -z "$ids" ] || docker rm -f $ids >/dev/null
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		bin/xcd purge --state-dir "$state/state" || true
	fi
	rm -rf "$state"
	exit $code
}
trap finish EXIT
trap 'exit 1' INT TERM

say "2. The daemon, on sockets and a state directory of its own"
printf '\033[36m$ bin/xcd --state-dir %s -H unix://%s --socket %s &\033[0m\n' "$state/state" "$state/docker.sock" "$state/xc.sock"
bin/xcd --state-dir "$state/state" -H "unix://$state/docker.sock" --socket "$state/xc.sock" >"$state/xcd.log" 2>&1 &
pid=$!
tries=0
until docker version >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries -gt 100 ] || ! kill -0 "$pid" 2>/dev/null; then
		echo "xcd did not come up"
		exit 1
	fi
	sleep 0.1
done
run docker version --format 'client {{.Client.Version}}, server {{.Server.Version}} (API {{.Server.APIVersion}}, {{.Server.Os}}/{{.Server.Arch}})'

say "3. An image, made here, and loaded"
go run ./integration/testbox/mkimage -tag demo:latest >"$state/demo.tar"
run docker load -i "$state/demo.tar"
run docker images

say "4. A container"
run docker run --rm demo echo "hello from a container"

say "5. A web server with a published port"
run docker run -d --name web -p 127.0.0.1::8080 demo httpd :8080 "it works"
address=$(docker port web 8080)
run curl -sS --max-time 5 --retry 20 --retry-connrefused --retry-delay 1 "http://$address/"
run docker logs web
run docker exec web ps
run docker stats --no-stream web
run docker ps
run docker stop web
run docker ps -a
run docker events --since 1m --until 0s --filter type=container
run docker rm web

say "All of it worked. KEEP=1 make demo leaves the daemon running, and says how to go on."
