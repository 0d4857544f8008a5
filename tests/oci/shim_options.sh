# What the runtime's own shim has and containerd's for runc has not: options by a file, the
# order of events when memory runs out, refusals. (runc is not asked.)
. "$LIB"

start_containerd
cp -a "$BASE" rootfs
RUN="--runtime io.containerd.runsk.v1 --rootfs"
no_task() { ! ctr tasks ls | grep -q "^$1 "; }

# Options as containerd's Kubernetes service hands them over.
CGROUP=/$(basename "$PWD")
HIERARCHIES=$(ls -d /sys/fs/cgroup/*/)
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || HIERARCHIES=/sys/fs/cgroup
for dir in $HIERARCHIES; do
  [ -e "$dir/cgroup.procs" ] || continue
  mkdir "$dir$CGROUP"
  for file in cpuset.cpus cpuset.mems; do
    [ ! -e "$dir/$file" ] || cat "$dir/$file" > "$dir$CGROUP/$file"
  done
done
cat > options.toml <<J
BinaryName = "$RUNTIME"
Root = "$PWD/state"
ShimCgroup = "$CGROUP"
RuntimeArgs = ["--debug"]
J
WITH="--runtime-config-path $PWD/options.toml"
ctr run -d $RUN $WITH "$PWD/rootfs" c1 sleep 1000
timeout 60 "$RUNTIME" --root "$PWD/state/$CONTAINERD_NAMESPACE" list -q
PID=$(timeout 60 "$RUNTIME" --root "$PWD/state/$CONTAINERD_NAMESPACE" ps --format json c1 | jq '.[0]')
SHIM=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$PID/status")
grep -q ":$CGROUP\$" "/proc/$SHIM/cgroup" && echo "in its cgroup"
say checkpoint ctr tasks checkpoint c1
grep -o 'checkpoint is not supported yet.*: not implemented' stderr
ctr tasks kill -s SIGKILL c1
until_true sh -c "$CTR tasks ls | grep STOPPED"
say delete ctr tasks delete c1
say remove ctr containers delete c1

# A shim that cannot be set up leaves nothing behind.
for dir in $HIERARCHIES; do [ ! -e "$dir$CGROUP" ] || rmdir "$dir$CGROUP"; done
say "no cgroup" ctr run --rm $RUN $WITH "$PWD/rootfs" c2 true
echo 'BinaryName = "/nonexistent"' > options.toml
say "no binary" ctr run --rm $RUN $WITH "$PWD/rootfs" c2 true
grep -o 'BinaryName /nonexistent: there is no such program' stderr | uniq
say "streams of no known kind" ctr run --rm $RUN --log-uri npipe://x "$PWD/rootfs" c2 true
grep -o 'streams of kind npipe:// are not supported' stderr | uniq
say again ctr run --rm $RUN "$PWD/rootfs" c2 sh -c 'exit 8'
say file ctr run --rm $RUN --log-uri "file://$PWD/log" "$PWD/rootfs" c2 sh -c 'echo out; echo err >&2'
cat log
cat > logger <<'J'
#!/bin/bash
# closes 5: it is ready
exec 5>&-
{ echo "$1 $2 of $CONTAINER_ID in ${CONTAINER_NAMESPACE%%-*}"; cat <&3; echo errors; cat <&4; } > "$2"
J
chmod +x logger
say logger ctr run --rm $RUN --log-uri "binary://$PWD/logger?to=$PWD/logged" "$PWD/rootfs" c2 sh -c 'echo out; echo err >&2'
sed "s: /.* of: of:" logged
say "no logger" ctr run --rm $RUN --log-uri "binary://$PWD/nothing" "$PWD/rootfs" c2 true

# Memory runs out: in the first process, and below it.
$CTR events > events &
heard() { ctr namespaces create probe; ctr namespaces remove probe; test -s events; }
until_true heard
EAT='a=0123456789abcdef; while :; do a=$a$a; done'
say eaten ctr run --rm $RUN --memory-limit 67108864 "$PWD/rootfs" c3 sh -c "$EAT"
say "eaten below" ctr run --rm $RUN --memory-limit 67108864 "$PWD/rootfs" c4 sh -c "($EAT); echo \$?; exit 6"

# Processes of exec end with the container, and are told of before it.
ctr run -d $RUN "$PWD/rootfs" c5 sleep 1000
ctr tasks exec --exec-id e1 c5 sleep 1000 &
EXEC=$!
until_true sh -c "$CTR tasks ps c5 | grep ExecID:e1"
ctr tasks kill -s SIGKILL c5
wait $EXEC
echo "exec: $?"
until_true sh -c "$CTR tasks ls | grep STOPPED"
say delete ctr tasks delete c5
say remove ctr containers delete c5
until_true grep '/tasks/delete.*"c5"' events
sed -n 's/^[^{]* \(\/tasks\/[a-z-]*\) .*"container_id":"\([a-z0-9]*\)".*/\1 \2/p' events

# A container ends while there is no daemon: the next one knows how.
ctr run -d $RUN "$PWD/rootfs" c7 sleep 1000
PID=$(ctr tasks ls | sed -n 's/^c7  *\([0-9]*\) .*/\1/p')
stop_containerd
kill -9 "$PID"
until_true sh -c "! test -e /proc/$PID"
start_containerd
ctr tasks ls | grep -o '^c7 .*STOPPED' | tr -s ' 0-9' ' '
say delete ctr tasks delete c7
grep -o 'task c7 exit.*' stderr
say remove ctr containers delete c7

# Containers of a pod have a shim each, and one sandbox.
CRI=io.kubernetes.cri
ctr run -d $RUN --annotation $CRI.container-type=sandbox --annotation $CRI.sandbox-id=pod "$PWD/rootfs" pod sleep 1000
ctr run -d $RUN --annotation $CRI.container-type=container --annotation $CRI.sandbox-id=pod "$PWD/rootfs" c8 \
  sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
grep -la '^runsk-sentry' /proc/[0-9]*/cmdline 2>/dev/null | wc -l
say "exec in a pod" ctr tasks exec --exec-id e1 c8 sh -c 'exit 3'
until_true sh -c "$CTR tasks kill c8; $CTR tasks ls | grep '^c8 .*STOPPED'"
ctr tasks ls | grep -o '^pod .*RUNNING' | tr -s ' 0-9' ' '
say delete ctr tasks delete c8
grep -o 'task c8 exit.*' stderr
ctr tasks kill -s SIGKILL pod
until_true sh -c "$CTR tasks ls | grep '^pod .*STOPPED'"
say delete ctr tasks delete pod
say remove ctr containers delete c8 pod

# Nothing is left, by those that were killed neither.
ctr run -d $RUN "$PWD/rootfs" c6 sleep 1000
kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$(ctr tasks ls | sed -n 's/^c6  *\([0-9]*\) .*/\1/p')/status")"
until_true no_task c6
say remove ctr containers delete c6
until_true sh -c '! ls /run/containerd/s/* 2>/dev/null'
find /run/containerd/runsk state -type f
ls "run/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE"
stop_containerd
rmdir "state/$CONTAINERD_NAMESPACE"
