# A Docker daemon of its own.
. "$LIB"

start_docker
N="--network none"
tar -C "$BASE" -c . | docker import - image >/dev/null
say run docker run --rm $N image echo hello
say status docker run --rm $N image sh -c 'exit 5'
say missing docker run --rm $N image nonexistent
say "not executable" docker run --rm $N image /etc/passwd
echo typed | docker run --rm -i $N image cat
mkdir volume; echo outside > volume/file
say volume docker run --rm $N -v "$PWD/volume:/volume" image sh -c 'cat /volume/file; echo inside > /volume/new'
cat volume/new
say "read-only volume" docker run --rm $N -v "$PWD/volume:/volume:ro" image sh -c 'touch /volume/x 2>/dev/null || echo refused'
say tmpfs docker run --rm $N --tmpfs /scratch:size=1m image sh -c 'touch /scratch/a && ls /scratch'
say read-only docker run --rm $N --read-only image sh -c 'touch /x 2>/dev/null || echo refused'
say user docker run --rm $N -u 5:6 image sh -c 'id -u; id -g'
say caps docker run --rm $N --cap-drop ALL image grep Cap /proc/self/status
say limits docker run --rm $N -m 64m --cpus 0.5 --pids-limit 60 --ulimit nofile=77:88 image sh -c 'ulimit -n; ulimit -Hn'
say environment docker run --rm $N -e A=b -w /tmp -h boxy image sh -c 'echo $A; pwd; hostname'
docker run -d --name loop $N image sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
until_true sh -c "docker logs loop 2>/dev/null | grep up"
docker logs loop
say exec docker exec loop sh -c 'echo in; exit 4'
say "exec of nothing" docker exec loop nonexistent >/dev/null
say "exec as somebody" docker exec -u 7 loop id -u
echo copied > file
say cp docker cp file loop:/tmp2
say copied docker exec loop cat /tmp2
say pause docker pause loop
docker ps --format '{{.Names}} {{.Status}}' | grep -o Paused
say unpause docker unpause loop
say update docker update -m 100m --memory-swap 200m loop
docker stop -t 20 loop
docker wait loop
docker start loop
docker restart -t 0 loop
docker kill loop
docker wait loop
docker rm loop
docker run -d -t --name tty $N image sh -c 'tty; sleep 1000' >/dev/null
until_true sh -c "docker logs tty 2>/dev/null | grep pts"
docker logs tty | tr -d '\r'
docker rm -f tty
docker ps -a -q
stop_docker
