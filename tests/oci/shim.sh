# A containerd of its own, with the runtime's own shim; and an image, made here.
. "$LIB"

case $KIND in
  runsk) TYPE=io.containerd.runsk.v1 ;;
  *) TYPE=io.containerd.runc.v2 ;;
esac
start_containerd
# heard FILE: whether events get there
heard() { ctr namespaces create probe; ctr namespaces remove probe; test -s "$1"; }
$CTR events > events1 &
until_true heard events1

# an image as `docker save` writes it
mkdir image
tar -C "$BASE" -c . > image/layer.tar
SUM=$(sha256sum image/layer.tar | cut -d' ' -f1)
cat > image/config.json <<J
{"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin", "FROM=image"], "Cmd": ["sh"], "WorkingDir": "/tmp"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$SUM"]}}
J
echo '[{"Config": "config.json", "RepoTags": ["local/busybox:1"], "Layers": ["layer.tar"]}]' > image/manifest.json
tar -C image -cf image.tar manifest.json config.json layer.tar
say import ctr images import --snapshotter native image.tar | grep -v unpacking
IMAGE=docker.io/local/busybox:1
RUN="--runtime $TYPE --snapshotter native"
in_state() { ctr tasks ls | grep -q "^$1 .*$2"; }
pid_of() { ctr tasks ls | sed -n "s/^$1  *\([0-9]*\) .*/\1/p"; }
no_task() { ! ctr tasks ls | grep -q "^$1 "; }
is_gone() { ! test -e "/proc/$1"; }

# whole WHAT SCRIPT COMMAND…: as `say`, for a shell in a container that runs SCRIPT, and with
# all that it prints: when a process ends, ctr forgets what it has not read yet. (And it tells
# the end of stdin to processes that run already, and no others.)
whole() {
  local what=$1 script=$2
  shift 2
  rm -f whole whole.err
  touch whole whole.err
  { until_true grep '^over$' whole; until_true grep '^over$' whole.err; } |
    "$@" sh -c "($script); STATUS=\$?; echo over | tee /dev/stderr; read LINE; exit \$STATUS" > whole 2> whole.err
  echo "$what: $?"
}
ctr2() { timeout -k 1 60 $CTR "$@"; }

whole run 'echo out; echo err >&2; pwd; echo $FROM' ctr2 run --rm $RUN $IMAGE c1
cat whole whole.err
say status ctr run --rm $RUN $IMAGE c1 sh -c 'exit 5'
say killed ctr run --rm $RUN $IMAGE c1 sh -c 'kill -9 $$'
say missing ctr run --rm $RUN $IMAGE c1 /nonexistent
say limited ctr run --rm $RUN --memory-limit 67108864 $IMAGE c1 sh -c 'exit 3'
head -c 300000 /dev/zero > zeros
whole large 'yes 0123456789 | head -c 999999' ctr2 run --rm $RUN $IMAGE c1
cksum < whole
(echo typed; until_true grep typed echoed) | ctr run --rm $RUN $IMAGE c1 sh -c 'cat; exit 2' > echoed
cat echoed

ctr run -d $RUN $IMAGE c2 sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done'
PID=$(pid_of c2)
whole exec 'echo in; exit 3' ctr2 tasks exec --exec-id e1 c2
cat whole whole.err
say "exec of nothing" ctr tasks exec --exec-id e2 c2 /nonexistent
(echo typed; until_true grep typed echoed2) | ctr tasks exec --exec-id e3 c2 sh -c 'cat; exit 4' > echoed2
cat echoed2
{ cat zeros; until_true grep 0 counted; } | ctr tasks exec --exec-id e8 c2 sh -c 'head -c 300000 | wc -c' > counted
cat counted
ctr tasks exec --exec-id e4 c2 sleep 1000 &
EXEC=$!
until_true sh -c "$CTR tasks ps c2 | grep ExecID:e4"
ctr tasks ps c2 | grep -c "^$PID "
ctr tasks ps c2 | grep -o ExecID:e4
say "kill of an exec" ctr tasks kill -s SIGKILL --exec-id e4 c2
wait $EXEC
echo "killed exec: $?"
ctr tasks exec --exec-id e9 c2 sh -c 'trap "echo heard; exit 5" RTMIN+3 USR2; echo ready; while :; do sleep 0.1; done' > signalled &
EXEC=$!
until_true grep ready signalled
say "a signal of real time" ctr tasks kill -s 37 --exec-id e9 c2
wait $EXEC
echo "told an exec: $?"
say pause ctr tasks pause c2
in_state c2 PAUSED && echo paused
say "exec in a paused one" ctr tasks exec --exec-id e5 c2 true
say resume ctr tasks resume c2
in_state c2 RUNNING && echo running
ctr tasks metrics c2 | grep -o '^memory.usage\|^pids.current'
say "delete of a running one" ctr tasks delete c2

# The daemon comes and goes, the container and its shim stay.
stop_containerd
kill -0 "$PID" && echo alive
start_containerd
in_state c2 RUNNING && [ "$(pid_of c2)" = "$PID" ] && echo "still running"
$CTR events > events2 &
until_true heard events2
say "exec again" ctr tasks exec --exec-id e6 c2 sh -c 'exit 6'
say kill ctr tasks kill c2
until_true in_state c2 STOPPED
say "kill of a stopped one" ctr tasks kill c2
say delete ctr tasks delete c2
grep -o 'task c2 exit.*' stderr
say remove ctr containers delete c2
until_true is_gone "$PID"

# A client goes away, and another one takes its place.
ctr run -d $RUN $IMAGE c3 sh -c 'trap "echo heard" USR1; while :; do sleep 0.1; done'
ctr tasks attach c3 > attached &
ATTACHED=$!
until_true sh -c "$CTR tasks kill -s SIGUSR1 c3; grep heard attached"
say kill ctr tasks kill -s SIGKILL c3
# It deletes the task, too.
wait $ATTACHED
echo "attached: $?"
until_true no_task c3
say remove ctr containers delete c3

# The shim is killed: the daemon has its binary clear away what is left.
ctr run -d $RUN $IMAGE c9 sleep 1000
PID=$(pid_of c9)
kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$PID/status")"
until_true is_gone "$PID"
until_true no_task c9
say remove ctr containers delete c9

# a terminal of a person, who changes its size
mkfifo keys
script -qec "tty > name; stty rows 33 cols 77; timeout 60 $CTR run --rm -t $RUN $IMAGE c4 sh" /dev/null < keys > screen &
exec 9> keys
until_true sh -c 'sleep 0.2; echo "stty size" >&9; grep "^33 77" screen'
stty -F "$(cat name)" rows 40 cols 100
until_true sh -c 'sleep 0.2; echo "stty size" >&9; grep "^40 100" screen'
until_true sh -c "$CTR tasks ls | grep '^c4 .*RUNNING'"
touch screen2
{ until_true grep /dev/pts screen2; echo; } |
  script -qec "timeout 60 $CTR tasks exec -t --exec-id e7 c4 sh -c 'tty; read LINE; exit 7'" /dev/null > screen2
echo "exec with a terminal: $?"
grep -o '/dev/pts/[0-9]*' screen2
echo 'exit 4' >&9
wait $!
exec 9>&-
tr -d '\r' < screen | grep -o '^33 77\|^40 100' | uniq

# told FILE: what happened, in its order
told() {
  sed -n 's/^[^{]* \(\/tasks\/[a-z-]*\) \(.*\)/"\1" \2/p' "$1" |
    jq -rs '[_nwise(2)] | .[] | "\(.[0]) \(.[1] | [.container_id, .exec_id // .id // "", .exit_status // "" | tostring] | join(" "))"'
}
until_true grep '/tasks/delete.*"c4"' events2
told events1
told events2
find /run/containerd -name state.json
ls "run/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE"
stop_containerd
