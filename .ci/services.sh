#!/usr/bin/env bash
# PostgreSQL, Redis and an S3 server that really checks signatures (Ceph's radosgw), each on a port and in a folder of
# its own. Nothing of the machine's own servers is touched, and what was started here is stopped here.
#
#   .ci/services.sh missing [PART …]            Debian packages that are needed and not there
#   .ci/services.sh start FOLDER [PART …]       start parts that do not run (postgres redis s3; all by default);
#                                               FOLDER/environment then names them, ready to be sourced
#   .ci/services.sh kill|stop FOLDER [PART …]   end parts, at once or politely; their data stays
#   .ci/services.sh run PART … -- COMMAND …     start those parts that no TEST_… variable names, run the command, stop
set -euo pipefail

HOST=127.0.0.1
ACCESS_KEY=switchyard-tests
SECRET_KEY=opens-the-test-bucket-only

as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The port that a part has in this folder: the same one again after a restart.
port_of() {
    if [ ! -e "$folder/$1.port" ]; then free_port >"$folder/$1.port"; fi
    cat "$folder/$1.port"
}

name() { printf 'export %s=%q\n' "$1" "$2" >>"$folder/environment"; }

wait_for() { # SECONDS WHAT COMMAND …
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then echo "$what did not come up; see $folder." >&2; return 1; fi
        sleep 0.05
    done
}

alive() { [ -e "$1" ] && kill -0 "$(head -n 1 "$1")" 2>/dev/null; }

gone() { ! alive "$1"; }

end() { # SIGNAL PID_FILE …
    local signal=$1
    shift
    for file in "$@"; do if alive "$file"; then kill -s "$signal" "$(head -n 1 "$file")" 2>/dev/null || true; fi; done
    for file in "$@"; do wait_for 20 "The end of $file" gone "$file" && rm -f "$file"; done
}

# PostgreSQL

postgres_programs() { dirname "$(compgen -G "/usr/lib/postgresql/*/bin/initdb" | sort -V | tail -n 1)"; }

start_postgres() {
    local programs port data="$folder/postgres"
    if alive "$data/postmaster.pid"; then return; fi
    programs=$(postgres_programs)
    port=$(port_of postgres)
    if [ ! -e "$data" ]; then
        mkdir "$data" && chmod 755 "$folder"
        if [ "$(id -u)" = 0 ]; then chown postgres "$data"; fi
        as_postgres "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale C --no-sync >/dev/null
    fi
    # A test that kills the server needs what was committed to survive the process, not a power cut: no fsync.
    as_postgres "$programs/pg_ctl" -D "$data" -s -w -t 60 -l "$data/log" -o "-p $port -c listen_addresses=$HOST \
        -c unix_socket_directories='' -c fsync=off -c max_connections=200" start
    name TEST_POSTGRES_URL "postgres://postgres@$HOST:$port/postgres"
}

end_postgres() {
    local mode=fast
    if [ "$1" = KILL ]; then mode=immediate; fi
    if [ -e "$folder/postgres/postmaster.pid" ]; then
        as_postgres "$(postgres_programs)/pg_ctl" -D "$folder/postgres" -s -m $mode stop || true
    fi
}

# Redis

start_redis() {
    local port data="$folder/redis"
    if alive "$data/pid"; then return; fi
    port=$(port_of redis)
    mkdir -p "$data"
    redis-server --port "$port" --bind $HOST --dir "$data" --save "" --appendonly yes --daemonize yes \
        --pidfile "$data/pid" --logfile "$data/log" >/dev/null
    wait_for 20 Redis redis-cli -h $HOST -p "$port" ping
    name TEST_REDIS_URL "redis://$HOST:$port/0"
}

end_redis() { end "$1" "$folder/redis/pid"; }

# S3: the smallest Ceph there is: one monitor, one object store in memory, one gateway

write_ceph_conf() { # MONITOR_PORT GATEWAY_PORT
    cat >"$CEPH_CONF" <<CONF
[global]
fsid = $(python3 -c 'import uuid; print(uuid.uuid4())')
mon host = v2:$HOST:$1
public addr = $HOST
cluster addr = $HOST
keyring = $folder/s3/keyring
run dir = $folder/s3
admin socket = $folder/s3/\$name.asok
pid file = $folder/s3/\$name.pid
log file = $folder/s3/\$name.log
mon cluster log file = $folder/s3/cluster.log
crash dir = $folder/s3
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
[mon]
mon data = $folder/s3/mon
mon data avail warn = 2
mon data avail crit = 1
[osd]
osd data = $folder/s3/osd
osd objectstore = memstore
memstore device bytes = 536870912
[client.rgw]
rgw frontends = beast endpoint=$HOST:$2
rgw data = $folder/s3
rgw thread pool size = 32
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw enable usage log = false
CONF
}

key_for() { ceph-authtool "$folder/s3/keyring" --gen-key -n "$@" >/dev/null; }

start_s3() {
    local gateway monitor id
    if alive "$folder/s3/client.rgw.pid"; then return; fi
    gateway=$(port_of s3)
    export CEPH_CONF="$folder/s3/ceph.conf" CEPH_ARGS=--no-mon-config
    if [ ! -e "$folder/s3" ]; then
        mkdir -p "$folder/s3/mon" "$folder/s3/osd"
        monitor=$(port_of monitor)
        write_ceph_conf "$monitor" "$gateway"
        touch "$folder/s3/keyring"
        key_for mon. --cap mon 'allow *'
        key_for client.admin --cap mon 'allow *' --cap osd 'allow *'
        key_for client.rgw --cap mon 'allow *' --cap osd 'allow *'
        key_for osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
        id=$(sed -n 's/^fsid = //p' "$CEPH_CONF")
        monmaptool --create --fsid "$id" --addv a "[v2:$HOST:$monitor]" "$folder/s3/monmap" >/dev/null
        ceph-mon --mkfs -i a --monmap "$folder/s3/monmap" --keyring "$folder/s3/keyring"
        ceph-mon -i a
        ceph --connect-timeout 30 osd new "$id" >/dev/null
        ceph-osd -i 0 --mkfs --osd-uuid "$id" 2>/dev/null
        ceph-osd -i 0 2>/dev/null
        radosgw-admin user create --uid=tests --display-name=Tests \
            --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY" >/dev/null 2>"$folder/s3/user.log"
    fi
    # Monitor and store keep everything in memory and stay up: "the S3 server is gone" means its gateway is.
    radosgw -n client.rgw
    wait_for 60 radosgw curl -sf "http://$HOST:$gateway/"
    name TEST_S3_ENDPOINT_URL "http://$HOST:$gateway"
    name TEST_S3_ACCESS_KEY_ID "$ACCESS_KEY"
    name TEST_S3_SECRET_ACCESS_KEY "$SECRET_KEY"
}

end_s3() { end "$1" "$folder/s3/client.rgw.pid"; }

end_store() { end KILL "$folder"/s3/osd.0.pid "$folder"/s3/mon.a.pid; }

# Commands

missing() { # PART …
    for part in "$@"; do
        case "$part" in
            postgres) compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || echo postgresql ;;
            redis) command -v redis-server >/dev/null || echo redis-server ;;
            s3)
                for package in radosgw ceph-mon ceph-osd curl; do
                    command -v "$package" >/dev/null || echo "$package"
                done
                ;;
        esac
    done
}

is_named() {
    case "$1" in
        postgres) [ -n "${TEST_POSTGRES_URL:-}" ] ;;
        redis) [ -n "${TEST_REDIS_URL:-}" ] ;;
        s3) [ -n "${TEST_S3_ENDPOINT_URL:-}" ] ;;
    esac
}

run() { # PART … -- COMMAND …
    local parts=() packages status=0
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        is_named "$1" || parts+=("$1")
        shift
    done
    shift
    packages=$(missing "${parts[@]}" | paste -sd' ')
    if [ -n "$packages" ]; then
        echo "Missing here: $packages. Debian: apt install --no-install-recommends $packages" >&2
        exit 1
    fi
    folder=$(mktemp -d /tmp/switchyard-services.XXXXXX)
    trap 'stop_all; rm -rf "$folder"' EXIT
    for part in "${parts[@]}"; do "start_$part"; done
    # shellcheck disable=SC1091
    if [ -e "$folder/environment" ]; then source "$folder/environment"; fi
    "$@" || status=$?
    exit "$status"
}

stop_all() {
    for part in s3 redis postgres; do "end_$part" TERM || true; done
    end_store
}

command=${1:-}
shift || true
case "$command" in
    missing)
        if [ $# = 0 ]; then set -- postgres redis s3; fi
        for part in "$@"; do is_named "$part" || missing "$part"; done
        ;;
    run) run "$@" ;;
    start | stop | kill)
        folder=$(cd "$1" && pwd)
        shift
        if [ "$command" = stop ] && [ $# = 0 ]; then stop_all; exit; fi
        if [ $# = 0 ]; then set -- postgres redis s3; fi
        for part in "$@"; do
            case "$command" in
                start) "start_$part" ;;
                stop) "end_$part" TERM ;;
                kill) "end_$part" KILL ;;
            esac
        done
        ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
