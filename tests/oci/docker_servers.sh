# Servers that containers of Docker publish ports for, and their clients outside.
if [ -z "${APART-}" ]; then
  # addresses and rules that this script's network alone knows
  APART=1 exec unshare -n bash -u "$0"
fi
. "$LIB"

ip link set lo up
# a program of the root that the servers are from, on the host
tool() { timeout 60 chroot "$SERVERS" "$@" 2>>stderr; }
mkdir -p www
head -c 20000000 /dev/urandom > www/big
head -c 1000 /dev/urandom > www/small
SUM=$(sha256sum < www/big)
cat > nginx.conf <<'C'
daemon off; pid /tmp/nginx.pid; error_log stderr;
events { worker_connections 4000; }
http { access_log off; sendfile on; keepalive_requests 1000000;
 server { listen 8080; root /www; } }
C

start_docker --ip6tables=false
tar -C "$SERVERS" --exclude=./usr --exclude=./proc --exclude=./dev -c . | docker import - servers >/dev/null
run() { docker run -d -v "$SERVERS/usr:/usr:ro" -v "$PWD:/srv:ro" -v "$PWD/www:/www:ro" --name "$@" >/dev/null; }
run web -p 127.0.0.1:8080:8080 servers nginx -c /srv/nginx.conf
run store -p 127.0.0.1:6379:6379 servers redis-server --protected-mode no --save ''
until_true tool curl -sfo /dev/null http://127.0.0.1:8080/small
until_true tool redis-cli -h 127.0.0.1 set greeting hello
ADDRESS=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)
for at in 127.0.0.1 "$ADDRESS"; do
  tool curl -s "http://$at:8080/big" | sha256sum | grep -qxF "$SUM" && echo "the same"
  tool ab -q -k -n 5000 -c 50 "http://$at:8080/small" | grep -i 'complete requests\|failed requests'
  tool ab -q -n 300 -c 10 "http://$at:8080/small" | grep -i 'complete requests\|failed requests'
done
tool redis-cli -h 127.0.0.1 get greeting
tool redis-benchmark -h 127.0.0.1 -q -n 3000 -t set,get | tr '\r' '\n' | grep -o '^.*requests per second' | sed 's/: .*//'
# one container's client, through the bridge
docker run --rm -v "$SERVERS/usr:/usr:ro" servers curl -s "http://$ADDRESS:8080/big" | sha256sum | grep -qxF "$SUM" && echo "the same"
docker rm -f web store >/dev/null
stop_docker
