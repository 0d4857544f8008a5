# What people do with Docker beside running things: terminals, images, policies, health.
. "$LIB"

start_docker
N="--network none"
tar -C "$BASE" -c . | docker import - image >/dev/null

# a terminal of a person, who changes its size and types Ctrl-C
mkfifo keys
script -qec "tty > name; stty rows 33 cols 77; timeout 60 docker run --rm -it $N image sh" /dev/null < keys > screen &
exec 9> keys
until_true grep '#' screen
echo 'stty size; echo $((6*7)).' >&9
until_true grep '^42[.]' screen
stty -F "$(cat name)" rows 40 cols 100
until_true sh -c 'sleep 0.2; echo "stty size" >&9; grep "^40 100" screen'
echo 'echo "to sl"eep; sleep 1000' >&9
until_true grep '^to sleep' screen
printf '\003' >&9
echo 'echo status $?; exit 4' >&9
wait $!
echo "terminal: $?"
exec 9>&-
tr -d '\r' < screen | grep -o '^33 77\|^40 100\|^status [0-9]*' | uniq

docker run -d --name loop $N image sh -c 'trap "echo heard" USR1; trap "echo over; exit 7" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
until_true sh -c "docker logs loop 2>/dev/null | grep up"
script -qec "timeout 60 docker exec -it loop sh -c 'tty; exit 5'" /dev/null < /dev/null | grep -o '/dev/pts/[0-9]*'
ID=$(docker inspect -f "{{.Id}}" loop)
docker logs -f loop > followed &
FOLLOWER=$!
docker kill -s USR1 loop
until_true grep heard followed
docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' loop | grep -c '^loop [1-9]'
docker top loop -o pid | grep -c "^ *$(docker inspect -f '{{.State.Pid}}' loop)$"
docker rename loop other
docker stop -t 20 other
wait $FOLLOWER
cat followed
docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' other
# Seconds are whole: those of the present one are told when it is over.
docker events --since 1h --until $(($(date +%s) + 1)) --filter "container=$ID" --filter type=container --format '{{.Action}}' | sed 's/^exec_\([a-z]*\).*/exec_\1/'
docker rm other

# what a container has written is an image
say made docker run --name made $N image sh -c 'echo made > /file; chown 5:6 /file; chmod 640 /file'
docker diff made
docker commit made image2 >/dev/null
say committed docker run --rm $N image2 sh -c 'cat /file; stat -c "%a %u:%g" /file'
docker cp made:/file - | tar -x -O
docker rm made

say init docker run --rm $N --init image sh -c 'cat /proc/1/comm; echo $$ | grep -v "^1$" | wc -l'
echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 30}]}' > profile.json
say seccomp docker run --rm $N --security-opt "seccomp=$PWD/profile.json" image sh -c 'mkdir /d 2>&1 | grep -o "Read-only file system"'
say unconfined docker run --rm $N --security-opt seccomp=unconfined image grep Seccomp: /proc/self/status
say "by default" docker run --rm $N image grep Seccomp: /proc/self/status
say sysctl docker run --rm $N --sysctl kernel.msgmax=4000 image cat /proc/sys/kernel/msgmax
say device docker run --rm $N --device /dev/null:/dev/mine image sh -c 'echo x > /dev/mine && stat -c "%F %t %T" /dev/mine'
say "shared memory" docker run --rm $N --shm-size 1m image sh -c 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2'
docker volume create kept >/dev/null
say volume docker run --rm $N -v kept:/data image sh -c 'echo kept > /data/file'
say "and again" docker run --rm $N -v kept:/data:ro image sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo refused'
say hosts docker run --rm $N --add-host there:10.1.2.3 image grep there /etc/hosts
say groups docker run --rm $N --group-add 77 image id -G
say "work directory" docker run --rm $N -w /new/place image pwd

# what starts again, and how often
docker run -d --name again $N --restart on-failure:2 image sh -c 'exit 3' >/dev/null
until_true sh -c 'docker inspect -f "{{.RestartCount}} {{.State.Status}}" again | grep "2 exited"'
docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' again
docker rm again

docker run -d --name health $N --health-cmd 'test -e /tmp/well' --health-interval 300ms --health-retries 2 image sleep 1000 >/dev/null
health() { [ "$(docker inspect -f '{{.State.Health.Status}}' health)" = "$1" ]; }
until_true health unhealthy
docker inspect -f '{{.State.Health.Status}}' health
docker exec health sh -c 'mkdir -p /tmp; touch /tmp/well'
until_true health healthy
docker inspect -f '{{.State.Health.Status}}' health
docker rm -f health
docker ps -a -q
stop_docker
