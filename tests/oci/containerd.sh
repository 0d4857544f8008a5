# A containerd of its own, with its shim for runc.
. "$LIB"

start_containerd
cp -a "$BASE" rootfs
RUN="--runc-binary $(command -v "$RUNTIME") --runtime io.containerd.runc.v2 --rootfs"
say run ctr run --rm $RUN "$PWD/rootfs" c1 /bin/echo hello
say status ctr run --rm $RUN "$PWD/rootfs" c1 /bin/sh -c "exit 5"
ctr run -d $RUN "$PWD/rootfs" c2 /bin/sh -c 'while :; do /bin/sleep 0.1; done'
say exec ctr tasks exec --exec-id e1 c2 /bin/sh -c 'echo in; exit 3'
say pause ctr tasks pause c2
ctr tasks ls | grep -o PAUSED
say resume ctr tasks resume c2
ctr tasks metrics c2 | grep -c memory.usage_in_bytes
say kill ctr tasks kill -s SIGKILL c2
until_true sh -c "$CTR tasks ls | grep STOPPED"
say delete ctr tasks delete c2
say remove ctr containers delete c2
stop_containerd
