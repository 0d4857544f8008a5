# What `docker exec`, `cp` and others do with a container that runs.
. "$LIB"

start_docker
N="--network none"
tar -C "$BASE" -c . | docker import - image >/dev/null

# what stops it
docker create --name stopped $N --stop-signal USR1 --stop-timeout 20 --cidfile cid image sh -c 'trap "exit 12" USR1; touch /up; while :; do sleep 0.1; done' >/dev/null
test "$(cat cid)" = "$(docker inspect -f '{{.Id}}' stopped)" && echo cidfile
docker start stopped
until_true docker exec stopped test -e /up
docker stop stopped
docker wait stopped
docker start -a stopped &
until_true docker exec stopped true
docker kill -s USR1 stopped
wait $!
echo "attached: $?"
docker rm stopped

# exec
docker run -d --name loop $N -e A=own -u 5:6 -v vol:/data image sh -c 'while :; do sleep 0.1; done' >/dev/null
say user docker exec -u 7:8 loop id
say root docker exec -u 0 loop id
say directory docker exec -w /tmp loop pwd
say "new directory" docker exec -w /nowhere loop pwd
say variables docker exec -e B=2 -e A=1 loop sh -c 'echo $A $B'
say own docker exec loop sh -c 'echo $A; id -u'
echo typed | docker exec -i loop cat
say detached docker exec -d -u 0 loop sh -c 'echo done > /detached'
until_true docker exec loop test -e /detached
say usual docker exec -u 0 loop grep Cap /proc/self/status
say unprivileged docker exec loop grep Cap /proc/self/status
say nobody docker exec -u nobodyknows loop id
docker pause loop >/dev/null
say "in a paused one" docker exec loop true
docker unpause loop >/dev/null

# copies
mkdir -p tree/sub; echo a > tree/a; ln -s a tree/link; echo b > tree/sub/b; chmod 751 tree/sub
say "cp in" docker cp tree loop:/copied
docker exec loop sh -c 'cd /copied && find . | sort && readlink link && stat -c "%a %u:%g" sub'
say "cp over" docker cp tree/. loop:/copied/sub
docker exec loop sh -c 'ls /copied/sub'
say "cp out" docker cp loop:/copied back
(cd back && find . | sort && cat a sub/b)
say "cp to a volume" docker cp tree/a loop:/data/a
say "from a volume" docker cp loop:/data/a from-volume
cat from-volume
say "cp of nothing" docker cp loop:/nothing x
tar -C tree -c . | docker cp - loop:/tmp
docker exec loop ls /tmp
docker exec -u 0 loop sh -c 'rm /copied/a; echo new > /made; chmod 600 /copied/sub/b'
docker diff loop | grep -v '/tmp' | sort
docker export loop | tar -t | grep -c '^copied/'
docker commit -m said -c 'ENV X=y' -c 'CMD ["sh","-c","echo $X; cat /made"]' loop committed >/dev/null
say committed docker run --rm -u 0 $N committed
docker logs --tail 1 loop
docker stats --no-stream --format '{{.PIDs}}' loop | grep -c '^[1-9]'
docker top loop | tail -n +2 | wc -l | sed "s/[1-9]/some/"
docker update --cpus 1 --pids-limit 100 --restart no loop
docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.OOMKilled}} {{.State.Dead}}' loop
docker rm -f -v loop
docker ps -a -q
docker image prune -f >/dev/null
stop_docker
