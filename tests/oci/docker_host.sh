# docker run --network host: the network of who runs the daemon, shared with others there.
if [ -z "${APART-}" ]; then
  # ports that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"
case $RUNTIME in *runsk*) RUNTIME_FLAGS='["--network=host"]' ;; esac

ip link set lo up
ip link add d0 type veth peer name d1
ip address add 10.5.0.1/24 dev d0
ip link set d0 up
ip link set d1 up
start_docker
tar -C "$BASE" -c . | docker import - image >/dev/null
busybox() { timeout 20 "$BASE/bin/busybox" "$@"; }
mkdir -p www
echo "a page of the host" > www/page
busybox httpd -f -p 10.5.0.1:8090 -h www &
SERVER=$!
until_true busybox wget -qO- http://10.5.0.1:8090/page

docker run --rm --network host image sh -c 'ls /sys/class/net; wget -qO- http://10.5.0.1:8090/page; netstat -tln | grep -c 10.5.0.1:8090'
docker run --rm --network host image sh -c 'ip -o address show d0 | grep -o "inet 10.5.0.1/24"'
docker run -d --name server --network host image sh -c 'echo "a page from inside" >/page; exec httpd -f -p 8091 -h /' >/dev/null
until_true busybox wget -qO- http://10.5.0.1:8091/page
busybox wget -qO- http://127.0.0.1:8091/page
docker exec server wget -qO- http://127.0.0.1:8091/page
# The port is taken, for the host too.
busybox httpd -f -p 8091 2>&1 | grep -o 'Address already in use'
docker rm -f server
busybox wget -qO- http://127.0.0.1:8091/page 2>&1 | grep -o 'Connection refused'

kill $SERVER
stop_docker
