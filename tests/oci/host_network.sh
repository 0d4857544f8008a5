# The host's network: sockets of the host's own stack, in the namespace that the configuration
# names, in the caller's, and in one that is new.
if [ -z "${APART-}" ]; then
  # ports that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"
case $RUNTIME in *runsk*) RT="$RT --network=host" ;; esac

mkdir -p /run/netns
mount -t tmpfs netns /run/netns
ip link set lo up
ip netns add shared
ip -n shared link set lo up
RIGHTS='.process.capabilities |= map_values(. + ["CAP_NET_BIND_SERVICE"])'
HOSTS="del(.linux.namespaces[] | select(.type == \"network\")) | $RIGHTS"
SHARED="(.linux.namespaces[] | select(.type == \"network\")).path = \"/run/netns/shared\" | $RIGHTS"
busybox() { timeout 20 "$BASE/bin/busybox" "$@"; }
mkdir -p www
head -c 3000000 /dev/urandom > www/file
SUM=$(sha256sum < www/file)

# a client inside, a server outside
busybox httpd -f -p 127.0.0.1:8000 -h www &
bundle b '["sh", "-c", "timeout 20 wget -qO- http://127.0.0.1:8000/file | sha256sum"]' "$HOSTS"
got=$($RT run -b b c1 2>>stderr)
[ "$got" = "$SUM" ] && echo "from outside: the same"
bundle b '["sh", "-c", "wget -qO- http://127.0.0.1:81/ 2>&1 | grep -o \"Connection refused\"; grep -c :1F40 /proc/net/tcp"]' "$HOSTS"
$RT run -b b c1 2>>stderr

# a server inside, on a port of the privileged
cp www/file b/rootfs/file
bundle b '["httpd", "-f", "-p", "127.0.0.1:80", "-h", "/"]' "$HOSTS"
$RT run -d -b b c2 </dev/null >out 2>&1
until_true busybox wget -qO /dev/null http://127.0.0.1:80/file
for turn in 1 2 3; do
  got=$(busybox wget -qO- http://127.0.0.1:80/file | sha256sum)
  [ "$got" = "$SUM" ] && echo "from inside: the same"
done
bundle d '["httpd", "-f", "-p", "127.0.0.1:80", "-h", "/"]' "$HOSTS"
$RT run -b d c3 2>&1 | grep -o 'Address already in use'
$RT kill c2 KILL
until_true is c2 stopped
$RT delete c2

# who listens, as ss(8) asks
bundle s '["sh", "-c", "ss -tlnH | tr -s [:blank:] _ | cut -d_ -f1,4; ls /sys/class/net"]' "$HOSTS"' | .process.env = ["PATH=/bin:/usr/bin"]
 | .mounts += [{destination: "/usr", type: "bind", source: "/usr", options: ["rbind"]},
     {destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]}]'
for name in lib lib64; do ln -sfn usr/$name s/rootfs/$name; done
$RT run -b s c3 2>>stderr

# two containers in one namespace, and a process of the host
cp www/file d/rootfs/file
bundle d '["httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/"]' "$SHARED"
$RT run -d -b d c4 </dev/null >out 2>&1
until_true ip netns exec shared "$BASE/bin/busybox" wget -qO /dev/null http://127.0.0.1:8080/file
bundle b '["sh", "-c", "timeout 20 wget -qO- http://127.0.0.1:8080/file | sha256sum"]' "$SHARED"
$RT run -d -b b c5 </dev/null >got 2>>stderr
until_true is c5 stopped
$RT delete c5
[ "$(cat got)" = "$SUM" ] && echo "from the other container: the same"
busybox wget -qO- http://127.0.0.1:8080/file 2>&1 | grep -o 'Connection refused'
$RT kill c4 KILL
until_true is c4 stopped
$RT delete c4

# a namespace that is new has a loopback, and nobody else's
bundle b '["sh", "-c", "httpd -p 127.0.0.1:8000 -h /; wget -qO- http://127.0.0.1:8000/file | sha256sum"]' "$RIGHTS"
got=$($RT run -b b c6 2>>stderr)
[ "$got" = "$SUM" ] && echo "from itself: the same"
kill %1

# the sandbox's own stack would cut off who has a server in a namespace already
ip netns exec shared busybox nc -l -p 8001 &
until ip netns exec shared grep -q :1F41 /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done
case $RUNTIME in
  *runsk*)
    bundle b '["true"]' "$SHARED"
    timeout 60 "$RUNTIME" --root "$STATE" run -b b c7 2>&1 | grep -o 'is in use by process' ;;
  *) echo 'is in use by process' ;;
esac
kill %%
