# `runsk install`, and the daemons whose files it has written. (runc has no such command.)
. "$LIB"

start_containerd
stop_containerd
install() { "$RUNTIME" install --docker daemon.json --containerd config.toml "$@" 2>>stderr | sed 's/;.*//'; }
cp config.toml before.toml
install
install
sed -i 's/^disabled_plugins.*//' config.toml
containerd -c config.toml config dump 2>>stderr | grep -A 20 'containerd.runtimes.runsk\]' | grep -o 'runtime_type = .*'
diff before.toml config.toml | grep -c "^[<>]"

dockerd --config-file daemon.json --data-root "$PWD/data" --exec-root "$PWD/exec" -H "unix://$PWD/docker.sock" \
  -p "$PWD/pid" --storage-driver vfs --bridge=none --iptables=false --ip6tables=false > daemon.log 2>&1 &
DAEMON=$!
export DOCKER_HOST=unix://$PWD/docker.sock
docker() { timeout -k 1 60 docker "$@" 2>>stderr; }
until_true docker version
tar -C "$BASE" -c . | docker import - image >/dev/null
say run docker run --rm --network none --runtime runsk image echo hello
kill $DAEMON
wait $DAEMON

install --remove
install --remove
cat daemon.json
