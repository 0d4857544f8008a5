# Terminals over a console socket.
. "$LIB"

bundle b '["sh", "-c", "stty size; tty; read line; echo got $line"]' '.process.terminal = true | .process.consoleSize = {height: 33, width: 77}'
word $RT create -b b c0
"$TESTKIT" console "$PWD/socket" 'typed
' > shown &
until_true test -S socket
$RT create -b b --console-socket "$PWD/socket" c1 </dev/null >out 2>&1
$RT start c1
wait $!
tr -d '\r' < shown | sort
until_true is c1 stopped
$RT delete c1

bundle b '["sh", "-c", "while :; do sleep 0.1; done"]'
word $RT create -b b --console-socket "$PWD/socket" c1
$RT run -d -b b c2 </dev/null >out 2>&1
rm -f socket
timeout 20 "$TESTKIT" console "$PWD/socket" 'typed
' > shown &
until_true test -S socket
say exec $RT exec -d -t --console-socket "$PWD/socket" c2 sh -c 'tty; read line; echo got $line; exit 3' </dev/null
wait $!
# What is typed may be shown before or after what the program says first.
tr -d '\r' < shown | sort
$RT delete -f c2
