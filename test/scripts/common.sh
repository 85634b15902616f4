# shellcheck shell=bash
# Sourced by the scripts of this folder: where things are, who runs PostgreSQL, and how a server
# is tied to the life of the one that started it.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

is_root()
{
	[ "$(id -u)" = 0 ]
}

# PostgreSQL refuses to run as root; its own OS user runs it then.
as_pg()
{
	if is_root; then
		setpriv --reuid postgres --regid postgres --init-groups -- "$@"
	else
		"$@"
	fi
}

# Sets scratch: the one folder for all that is no source, .scratch in the checkout. Where the
# postgres user cannot come by (a checkout below /root), that is a link to a folder below /var/tmp.
open_scratch()
{
	scratch=$(readlink -f "$top/.scratch")
	if [ ! -d "$scratch" ]; then
		if as_pg test -x "$top"; then
			mkdir -p "$top/.scratch"
		else
			ln -sfn "$(mktemp -d /var/tmp/scylla_fdw.XXXXXX)" "$top/.scratch"
		fi
		scratch=$(readlink -f "$top/.scratch")
		if is_root; then
			chgrp postgres "$scratch"
		fi
		chmod 750 "$scratch"
	fi
}

# A TCP port that nobody serves at address $1; below the range from which clients get theirs.
free_port()
{
	local port
	while port=$((20000 + RANDOM % 12000)); (: < "/dev/tcp/$1/$port") 2> /dev/null; do :; done
	echo "$port"
}

# Is process $1 alive? A zombie is not.
is_alive()
{
	readlink "/proc/$1/exe" > /dev/null 2>&1
}

# End server $2 (a process id) with signal $3 when process $1 has ended, so that a killed test run
# leaves no server behind. A session of its own keeps the watcher out of what is killed.
tie_to()
{
	export -f is_alive
	setsid bash -c '
		while is_alive "$1"; do
			is_alive "$2" || exit 0
			sleep 1
		done
		kill "-$3" "$2"' tie "$@" < /dev/null > /dev/null 2>&1 &
}

# The Java to run a published program on: 17, else 21, else whatever there is.
find_java()
{
	local candidate
	for candidate in /usr/lib/jvm/java-{17,21}-openjdk-*/bin/java "$(command -v java || true)"; do
		if [ -x "$candidate" ]; then
			echo "$candidate"
			return
		fi
	done
	die "no Java; run test/scripts/setup"
}

# Jars (GROUP:ARTIFACT:VERSION each) with all that they need, once, into $1/lib.
fetch_jars()
{
	local dir=$1 group artifact version
	[ ! -e "$dir/done" ] || return 0
	mkdir -p "$dir"
	{
		echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>scratch</groupId><artifactId>scratch</artifactId><version>1</version><dependencies>'
		while IFS=: read -r group artifact version; do
			echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
		done < <(printf '%s\n' "${@:2}")
		echo '</dependencies></project>'
	} > "$dir/pom.xml"
	mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/lib" >&2
	touch "$dir/done"
}
