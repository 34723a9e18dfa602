# shellcheck shell=bash
# Sourced by up: gets Kafka, MinIO and versitygw into the cache, once. Everything appears there under its final name only when whole.

cache=$(realpath -m -- "${RADHICAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/radhical}")
# A pseudo-version: the module's release names are not versions to Go, which refuses them.
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
minio_home=$cache/minio-$minio_version
versitygw_version=v1.8.0
versitygw_home=$cache/versitygw-$versitygw_version
kafka_pom=$root/deploy/local/kafka/pom.xml
kafka_home=$cache/kafka-$(sha256sum <"$kafka_pom" | cut -c1-12)

# Fails naming every missing tool, before anything is fetched or started. Maven and Go are only asked for on the first run.
require_tools() {
  local missing=() wanted entry
  wanted=("java=a Java 17 runtime (Debian: openjdk-17-jre-headless)" "curl=curl" "node=Node 20" "flock=util-linux" "setsid=util-linux" "openssl=OpenSSL 3")
  [[ -d $kafka_home ]] || wanted+=("mvn=Maven 3 (Debian: maven)")
  [[ -d $minio_home && -d $versitygw_home ]] || wanted+=("go=Go 1.25 or later")
  for entry in "${wanted[@]}"; do
    command -v "${entry%%=*}" >/dev/null || missing+=("\"${entry%%=*}\": install ${entry#*=}")
  done
  ((${#missing[@]} == 0)) || die "Cannot find $(printf '%s; ' "${missing[@]}" | sed 's/; $//')"
}

# fetch_once TARGET COMMAND: fills the folder TARGET by COMMAND, which is given an empty folder, unless it is there.
fetch_once() {
  local target=$1 fill=$2 partial=$1.partial
  [[ ! -d $target ]] || return 0
  mkdir -p -- "$cache"
  (
    flock -n 8 || {
      say "waiting for another run to get ${target##*/}"
      flock 8
    }
    [[ ! -d $target ]] || exit 0
    say "getting ${target##*/}"
    rm -rf -- "$partial" # of a run that was interrupted: nobody else holds the lock
    mkdir -- "$partial"
    "$fill" "$partial" >&2
    mv -T -- "$partial" "$target"
  ) 8>"$target.lock"
}

fill_kafka() {
  cp -- "$kafka_pom" "$1/pom.xml"
  # -C: a jar whose checksum differs is an error, not a warning.
  mvn -q -B -ntp -C -f "$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$1/libs" -DincludeScope=runtime
}

# go_install FOLDER PACKAGE@VERSION: builds a program into the folder.
go_install() { GOBIN=$1 CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" "$2"; }
fill_minio() { go_install "$1" "github.com/minio/minio@$minio_version"; }
fill_versitygw() { go_install "$1" "github.com/versity/versitygw/cmd/versitygw@$versitygw_version"; }

fetch_all() {
  fetch_once "$kafka_home" fill_kafka
  [[ -d $minio_home ]] || say "building MinIO takes up to ten minutes, once"
  fetch_once "$minio_home" fill_minio
  [[ -d $versitygw_home ]] || say "building versitygw takes some minutes, once"
  fetch_once "$versitygw_home" fill_versitygw
}
