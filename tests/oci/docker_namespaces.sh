# Namespaces that Docker has a container share with another one, or with the host.
. "$LIB"

start_docker
N="--network none"
LOOP='while :; do sleep 0.1; done'
tar -C "$BASE" -c . | docker import - image >/dev/null
docker run -d --name first $N --ipc shareable -h firstname image sh -c "httpd -p 127.0.0.1:8080 -h /; echo page > /page; echo shared > /dev/shm/file; touch /up; $LOOP" >/dev/null
until_true docker exec first test -e /up
say "network" docker run --rm --network container:first image sh -c 'wget -qO- http://127.0.0.1:8080/page; hostname'
say "ipc" docker run --rm $N --ipc container:first image sh -c 'cat /dev/shm/file; echo back > /dev/shm/other; test -e /page || echo "own files"'
docker exec first cat /dev/shm/other
docker run -d --name second $N --pid container:first --ipc container:first image sh -c "$LOOP" >/dev/null
say "pid" docker exec second sh -c 'cat /proc/1/cmdline | tr "\0" " " | cut -c1-11; kill -0 1 && echo "can be signalled"'
for kind in pid ipc uts net mnt; do
  for name in first second; do docker exec $name readlink /proc/self/ns/$kind; done | sort | uniq | wc -l
done
docker run -d --name third $N --pid container:second image sh -c "$LOOP" >/dev/null
say "third" docker exec third sh -c 'cat /proc/1/cmdline | tr "\0" " " | cut -c1-11'
docker kill third >/dev/null
docker wait third
docker exec second true && echo "second goes on"
docker rm third >/dev/null
say "exec" docker exec second sh -c 'exit 3'
docker stop -t 0 second >/dev/null
docker start second >/dev/null
say "again" docker exec second sh -c 'cat /proc/1/cmdline | tr "\0" " " | cut -c1-11'
docker rm -f second >/dev/null
docker rm -f first >/dev/null
say "nobody" docker run --rm $N --ipc container:first image true
say "uts of the host" docker run --rm $N --uts host image hostname | sed "s/^$(hostname)$/the host's/"
say "cgroup of the host" docker run --rm $N --cgroupns host image true
docker ps -aq
stop_docker
