# A network namespace with an interface, as CNI plugins prepare it: servers and clients on
# both sides of it.
if [ -z "${APART-}" ]; then
  # addresses that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

make_inner_network
ip -n inner route add default via 10.9.0.1

NETWORK='(.linux.namespaces[] | select(.type == "network")).path = "/run/netns/inner"
 | .process.capabilities |= map_values(. + ["CAP_NET_BIND_SERVICE"])'
busybox() { timeout 20 "$BASE/bin/busybox" "$@"; }
mkdir -p www
head -c 3000000 /dev/urandom > www/file
SUM=$(sha256sum < www/file)
busybox httpd -f -p "[::]:8000" -h www &

# clients inside
in_guest() {
  bundle b "$(jq -nc --arg command "$1" '["sh", "-c", $command]')" "$NETWORK"
  $RT run -b b c1 2>>stderr
}
for address in 10.9.0.1 '[fd09::1]'; do
  got=$(in_guest "timeout 20 wget -qO- http://$address:8000/file | sha256sum")
  [ "$got" = "$SUM" ] && echo "from $address: the same"
done
in_guest 'wget -qO- http://10.9.0.1:81/ 2>&1 | grep -o "Connection refused"'
in_guest 'timeout 20 wget -qO- http://10.9.0.77:81/ 2>&1 | grep -o "Host is unreachable\|No route to host"'
in_guest 'wget -qO- http://127.0.0.1:81/ 2>&1 | grep -o "Connection refused"'
in_guest 'ip address show dev eth0 | grep -o "inet6* [0-9.fd:]*/[0-9]*" | sort; ip route'

# interfaces as sysfs has them
SYSFS='.mounts += [{destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]}]'
bundle s '["sh", "-c", "ls /sys/class/net; cd /sys/class/net/eth0; grep . mtu broadcast flags operstate type duplex"]' "$NETWORK | $SYSFS"
$RT run -b s c1 2>>stderr
bundle s '["sh", "-c", "cat /sys/class/net/eth0/address"]' "$NETWORK | $SYSFS"
[ "$($RT run -b s c1 2>>stderr)" = "$(ip -n inner -j link show eth0 | jq -r '.[0].address')" ] && echo "its own address"

# a server inside
cp www/file b/rootfs/file
bundle b '["sh", "-c", "httpd -f -p [::]:8080 -h / & touch /tmp/ready; wait"]' "$NETWORK"
$RT run -d -b b c2 </dev/null >out 2>&1
until_true busybox wget -qO /dev/null http://10.9.0.2:8080/file
for address in 10.9.0.2 '[fd09::2]'; do
  for turn in 1 2 3; do
    got=$(busybox wget -qO- "http://$address:8080/file" | sha256sum)
    [ "$got" = "$SUM" ] && echo "from $address: the same"
  done
done
busybox wget -qO- http://10.9.0.2:9/ 2>&1 | grep -o "Connection refused"
busybox ping -c 1 -W 5 10.9.0.2 | grep -o '1 packets received'
busybox ping -c 1 -W 5 fd09::2 | grep -o '1 packets received'
$RT exec c2 netstat -tln 2>>stderr | grep -o ':::8080'
$RT kill c2 KILL
until_true is c2 stopped
$RT delete c2

# the namespace is as it was: the next container finds it
ip -n inner address show dev eth0 | grep -o 'inet 10.9.0.2/24'
kill %1
