# Docker's networks: two containers that find each other by name, and ports that it publishes.
if [ -z "${APART-}" ]; then
  # addresses and rules that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

ip link set lo up
start_docker --ip6tables=false
say network docker network create --subnet 10.88.0.0/24 inner | grep network
tar -C "$BASE" -c . | docker import - box >/dev/null
mkdir -p www; head -c 2000000 /dev/urandom > www/file
SUM=$(sha256sum < www/file)
busybox() { timeout 20 "$BASE/bin/busybox" "$@"; }

docker run -d --name web --network inner -p 127.0.0.1:8081:8080 -p 10.88.0.1:8082:8080 -v "$PWD/www:/www:ro" box httpd -f -p 8080 -h /www >/dev/null
client() { docker run --rm --network inner box sh -c "$1"; }
until_true client 'wget -qO /dev/null http://web:8080/file'
client 'wget -qO- http://web:8080/file | sha256sum' | grep -qx "$SUM" && echo "by name: the same"
client 'nslookup web' | grep -o 'Address.*: *10.88.0.2$' | grep -o '10.88.0.2'
# the same question, twice over one connection of TCP
client 'ask() { printf "\0\025\0224\1\0\0\1\0\0\0\0\0\0\3web\0\0\1\0\1"; }; (ask; ask; sleep 1) | nc -w 5 127.0.0.11 53 | od -An -v -tx1 | tr -d " \n"' |
  grep -o '0a580002'
client 'wget -qO- http://nowhere:8080/ 2>&1 | grep -o "bad address"'
client 'cat /etc/resolv.conf | grep nameserver; ip route | grep -o "default via 10.88.0.1"'
for at in 127.0.0.1:8081 10.88.0.1:8082; do
  busybox wget -qO- http://$at/file | sha256sum | grep -qx "$SUM" && echo "published at $at: the same"
done
docker exec web wget -qO- http://127.0.0.1:8080/file | sha256sum | grep -qx "$SUM" && echo "in itself: the same"
docker rm -f web >/dev/null
busybox wget -qO- http://127.0.0.1:8081/file 2>&1 | grep -o "Connection refused"
say network docker network rm inner | grep network
stop_docker
