# Descriptors that callers pass on, socket activation, the log file.
. "$LIB"

bundle b '["sh", "-c", "cat <&3; cat <&4; ls -l /proc/self/fd | grep -c -v total; env | grep LISTEN"]'
echo three > 3; echo four > 4
$RT run -b b --preserve-fds 2 c1 3<3 4<4 5<3 2>>stderr
bundle b '["sh", "-c", "cat <&3; env | grep LISTEN | sort"]'
(LISTEN_PID=$BASHPID LISTEN_FDS=1 exec $RUNTIME --root $STATE run -b b c1 3<3) 2>>stderr
bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
$RT run -d -b b c2 </dev/null >out 2>&1
$RT exec --preserve-fds 1 c2 sh -c 'cat <&3' 3<3
$RT delete -f c2

say state $RT --log log.json --log-format json state nothing
tail -1 log.json | jq -c '[.level, (.msg | contains("does not exist")), (.time | length > 18)]'
