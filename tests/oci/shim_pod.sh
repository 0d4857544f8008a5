# A pod of two containers as containerd's CRI plugin makes it: a sandbox, and containers that
# its annotations lead there.
. "$LIB"

case $KIND in
  runsk) TYPE=io.containerd.runsk.v1 ;;
  *) TYPE=io.containerd.runc.v2 ;;
esac
mkdir -p /run/containerd
mount -t tmpfs tmpfs /run/containerd
start_containerd
pid_of() { ctr tasks ls | sed -n "s/^$1  *\([0-9]*\) .*/\1/p"; }
in_state() { ctr tasks ls | grep -q "^$1 .*$2"; }

# run NAME TYPE FLAGS… -- COMMAND…
run() {
  local name=$1 kind=$2 flags=()
  shift 2
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  cp -a "$BASE" "$PWD/root-$name"
  ctr run -d --runtime $TYPE --annotation io.kubernetes.cri.container-type=$kind \
    --annotation io.kubernetes.cri.sandbox-id=pod "${flags[@]}" --rootfs "$PWD/root-$name" "$name" "$@"
}
LOOP='while :; do sleep 0.1; done'
run pod sandbox --memory-limit 67108864 -- /bin/sh -c "trap 'exit 0' TERM; $LOOP"
PID=$(pid_of pod)
SHARED="--with-ns network:/proc/$PID/ns/net --with-ns ipc:/proc/$PID/ns/ipc --with-ns uts:/proc/$PID/ns/uts"
run web container $SHARED -- /bin/sh -c "echo page > /page; httpd -p 127.0.0.1:8080 -h /; trap 'exit 3' TERM; touch /up; $LOOP"
run client container $SHARED -- /bin/sh -c "$LOOP"
ctr tasks ls | sed 's/  *[0-9]*  */ /' | sort | grep -v TASK
until_true ctr tasks exec --exec-id e0 web /bin/test -e /up
say fetch ctr tasks exec --exec-id e1 client /bin/wget -qO- http://127.0.0.1:8080/page
say "own files" ctr tasks exec --exec-id e2 client /bin/ls /page
for kind in net ipc uts pid mnt; do
  for name in pod web client; do
    ctr tasks exec --exec-id e3 $name /bin/readlink /proc/self/ns/$kind
  done | sort | uniq | wc -l
done
ctr tasks exec --exec-id e4 web /bin/sh -c '/bin/ps -o comm | /bin/grep -c "^httpd"'
ctr tasks exec --exec-id e5 client /bin/sh -c '/bin/ps -o comm | /bin/grep -c "^httpd"'
say pause ctr tasks pause web
in_state web PAUSED && in_state client RUNNING && echo "web alone stands still"
say resume ctr tasks resume web
ctr tasks metrics client | grep -c 'pids.current'
say kill ctr tasks kill web
until_true in_state web STOPPED
in_state client RUNNING && echo "client goes on"
say delete ctr tasks delete web
ctr containers delete web
run web container $SHARED -- /bin/sh -c 'exit 7'
until_true in_state web STOPPED
say again ctr tasks delete web
ctr containers delete web

# the one is told of that runs out of memory, not the pod
$CTR events > events &
heard() { ctr namespaces create probe; ctr namespaces remove probe; test -s events; }
until_true heard
run hog container $SHARED --memory-limit 67108864 -- /bin/sh -c 'tail /dev/zero; exit 4'
until_true in_state hog STOPPED
until_true grep /tasks/exit events
grep -o '/tasks/oom.*' events | sort | uniq
say delete ctr tasks delete hog
ctr containers delete hog
say kill ctr tasks kill -s KILL client
until_true in_state client STOPPED
say delete ctr tasks delete client
say kill ctr tasks kill pod
until_true in_state pod STOPPED
say delete ctr tasks delete pod
ctr containers delete client pod
ctr containers ls -q
stop_containerd
