# A service manager's socket, sd_notify(3): who starts a container is told when its program says
# that it is ready, and which process it is.
. "$LIB"

# a service manager: what it is told, number by number where that is a process
cat > manager.py <<'P'
import os, re, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
with open(sys.argv[2], "a", buffering=1) as log:
    while True:
        for line in manager.recv(4096).decode().splitlines():
            log.write(line + "\n")
P
python3 manager.py "$PWD/manager" "$PWD/told" &
MANAGER=$!
until_true test -S manager
HOST_LIBRARIES='.mounts += [("/usr", "/lib", "/lib64") | {destination: ., source: ., type: "bind", options: ["rbind", "ro"]}]'
SAY='import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for m in sys.argv[1:]: s.sendto(m.encode(), os.environ["NOTIFY_SOCKET"])'
# service DIR SCRIPT: a program that says `say MESSAGE…`
service() {
  bundle "$1" "$(jq -n --arg s "say() { /usr/bin/python3 -c '$SAY' \"\$@\"; }; $2" '["sh", "-c", $s]')" "$HOST_LIBRARIES"
}
# runc of some versions asks it to answer, too
told() { grep -v '^MAINPID\|^BARRIER' told; : > told; }
LOOP='while :; do sleep 0.1; done'

# start waits until it is ready
service b "echo \$NOTIFY_SOCKET; ls -ld /run/notify | cut -c1-10; ls -l \$NOTIFY_SOCKET | cut -c1-10; touch /run/notify/x; say STATUS=early 'READY=1
STATUS=up'; $LOOP"
NOTIFY_SOCKET=$PWD/manager $RT create -b b c1 </dev/null >out 2>/dev/null
say start env NOTIFY_SOCKET=$PWD/manager $RT start c1
cat out
grep MAINPID told > main
[ "$(cat main)" = "MAINPID=$($RT state c1 | jq .pid)" ] && echo "the container's process"
told
$RT delete --force c1

# and run --detach does
say run env NOTIFY_SOCKET=$PWD/manager $RT run -d -b b c2 </dev/null >out 2>/dev/null
tail -1 out
grep -c MAINPID told
told
$RT delete --force c2

# attached: while the container runs
service b "say READY=1; sleep 1; say STOPPING=1; exit 3"
say attached env NOTIFY_SOCKET=$PWD/manager $RT run -b b c3
grep -c MAINPID told
told

# one that ends without a word
service b "exit 0"
NOTIFY_SOCKET=$PWD/manager $RT create -b b c4 </dev/null >out 2>&1
say silent env NOTIFY_SOCKET=$PWD/manager $RT start c4
told
$RT delete --force c4

# nobody who wants to know
service b 'echo "socket: $NOTIFY_SOCKET"'
say alone env -u NOTIFY_SOCKET $RT run -b b c5
# who asks for the start does not: it does not wait
service b "$LOOP"
NOTIFY_SOCKET=$PWD/manager $RT create -b b c6 </dev/null >out 2>&1
say "no manager" $RT start c6
told
$RT delete --force c6

# kept variables of the configuration: the runtime's own goes first
service b 'echo "socket: $NOTIFY_SOCKET"; say READY=1'
jq '.process.env += ["NOTIFY_SOCKET=/nowhere"]' b/config.json > new && mv new b/config.json
say "named twice" env NOTIFY_SOCKET=$PWD/manager $RT run -b b c7
told
kill $MANAGER
