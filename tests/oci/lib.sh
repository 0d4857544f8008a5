# Tools for the scripts beside this one. What they print is compared between runtimes: no
# process numbers, no times, none of the words that are a runtime's own.

STATE=$PWD/state
RT="timeout 60 $RUNTIME --root $STATE"
export XDG_RUNTIME_DIR=

# mounts that every container has
MOUNTS='{"destination":"/proc","type":"proc","source":"proc"},
 {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]},
 {"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance","ptmxmode=0666"]},
 {"destination":"/tmp","type":"tmpfs","source":"tmpfs"}'

# bundle DIR ARGS [TOP] [PROCESS] [LINUX]: a bundle whose config.json has these arguments (a JSON
# list), and these additions (jq's, as '.a = 1 | .b = 2') to the whole of it.
bundle() {
  mkdir -p "$1"
  [ -d "$1/rootfs" ] || cp -a "$BASE" "$1/rootfs"
  cat > "$1/config.json.plain" <<J
{ "ociVersion": "1.0.2",
  "process": { "user": {"uid": 0, "gid": 0}, "args": $2, "cwd": "/",
    "env": ["PATH=/bin", "HOME=/root", "TERM=xterm"],
    "capabilities": {"bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]} },
  "root": {"path": "rootfs"}, "hostname": "box",
  "mounts": [$MOUNTS],
  "linux": { "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}] } }
J
  jq "${3:-.}" "$1/config.json.plain" > "$1/config.json"
}

# say WHAT COMMAND…: runs it, without its stderr, and prints its status
say() {
  local what=$1
  shift
  "$@" 2>>stderr
  echo "$what: $?"
}

# word COMMAND…: the words of its error that callers look for
word() {
  "$@" 2>&1 >/dev/null | grep -o 'does not exist\|not running\|already exists\|not stopped\|already running\|has stopped\|executable file not found\|permission denied\|no such file or directory\|paused\|console socket\|invalid' | head -1
}

# status ID: as `state` tells it
status() { $RT state "$1" 2>/dev/null | jq -r .status; }

# until COMMAND…: waits until it succeeds
until_true() {
  local i
  for i in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done
  echo "never true: $*"
}
is() { [ "$(status "$1")" = "$2" ]; }

# make_inner_network: a namespace `inner` whose eth0 leads to `outer` here, as CNI plugins prepare
# it. For scripts whose network and mount namespaces are their own.
make_inner_network() {
  mkdir -p /run/netns
  mount -t tmpfs netns /run/netns
  ip link set lo up
  ip netns add inner
  ip link add outer type veth peer name eth0 netns inner
  ip address add 10.9.0.1/24 dev outer
  ip address add fd09::1/64 dev outer nodad
  ip link set outer up
  ip -n inner address add 10.9.0.2/24 dev eth0
  ip -n inner address add fd09::2/64 dev eth0 nodad
  ip -n inner link set lo up
  ip -n inner link set eth0 up
}

# make_user HOME: an ordinary user that this script's mount namespace alone knows, with a home
# directory, and ids 300000 to 365535 for its user namespaces. `as_user COMMAND…` is it.
USER_ID=54321
make_user() {
  USER_HOME=$1
  mkdir -p etc "$1/run"
  local file
  for file in passwd group subuid subgid; do
    [ -e /etc/$file ] || touch /etc/$file
    cp /etc/$file etc/$file
  done
  echo "scenario:x:$USER_ID:$USER_ID::$1:/bin/sh" >> etc/passwd
  echo "scenario:x:$USER_ID:" >> etc/group
  echo "scenario:300000:65536" >> etc/subuid
  echo "scenario:300000:65536" >> etc/subgid
  for file in passwd group subuid subgid; do mount --bind etc/$file /etc/$file; done
  chown -R $USER_ID:$USER_ID "$1"
  as_user test -x "$(command -v "$RUNTIME")" -a -d "$1" || {
    echo "an ordinary user cannot reach $RUNTIME and $1: open the directories above them (chmod o+x)" >&2
    exit 1
  }
}
as_user() {
  setpriv --reuid $USER_ID --regid $USER_ID --clear-groups \
    env -i "PATH=$PATH" "HOME=$USER_HOME" "XDG_RUNTIME_DIR=${USER_RUN-$USER_HOME/run}" "$@"
}

# start_docker [FLAGS…]: a daemon of this script's own, whose only runtime is the one under test;
# `docker` talks to it. Without flags it makes no networks. RUNTIME_FLAGS, a JSON list, are for
# every command of the runtime.
start_docker() {
  [ $# -gt 0 ] || set -- --bridge=none --iptables=false --ip6tables=false
  echo '{"runtimes": {"tested": {"path": "'"$(command -v "$RUNTIME")"'", "runtimeArgs": '"${RUNTIME_FLAGS-[]}"'}}, "default-runtime": "tested"}' > daemon.json
  dockerd --config-file daemon.json --data-root "$PWD/data" --exec-root "$PWD/exec" -H "unix://$PWD/docker.sock" \
    -p "$PWD/pid" --storage-driver vfs "$@" > daemon.log 2>&1 &
  DAEMON=$!
  export DOCKER_HOST=unix://$PWD/docker.sock
  STDERR=$PWD/stderr
  docker() { timeout -k 1 60 docker "$@" 2>>"$STDERR"; }
  until_true docker version
}

# stop_docker: and it has left no container of the runtime.
stop_docker() {
  kill $DAEMON
  wait $DAEMON
  find exec -name state.json
}

# start_containerd [CRI]: a daemon of this script's own, which finds shims beside the runtime under
# test, with the CRI plugin if it is given a configuration; `ctr` talks to it. Again after stop_containerd, it goes on where it was. Control groups
# are called after the namespace: all scripts share them.
start_containerd() {
  export CONTAINERD_NAMESPACE=${PWD##*/}
  # where shims keep sockets and states, and clients FIFOs
  [ -e config.toml ] || { mkdir -p /run/containerd; mount -t tmpfs tmpfs /run/containerd; }
  cat > config.toml <<J
version = 2
root = "$PWD/root"
state = "$PWD/run"
$([ $# -gt 0 ] || echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]')
[grpc]
  address = "$PWD/c.sock"
[ttrpc]
  address = "$PWD/t.sock"
${1-}
J
  PATH=$(dirname "$RUNTIME"):$PATH containerd -c config.toml >> daemon.log 2>&1 &
  DAEMON=$!
  CTR="ctr -a $PWD/c.sock"
  STDERR=$PWD/stderr
  ctr() { timeout -k 1 60 $CTR "$@" 2>>"$STDERR"; }
  until_true ctr version
}
stop_containerd() {
  kill $DAEMON
  wait $DAEMON
  # Those without containers; the daemon leaves them.
  rmdir /sys/fs/cgroup/*/"$CONTAINERD_NAMESPACE" /sys/fs/cgroup/"$CONTAINERD_NAMESPACE" 2>/dev/null
}
