# What `docker run` can be told about a container.
. "$LIB"

start_docker
N="--network none"
tar -C "$BASE" -c . | docker import - image >/dev/null
# in FLAGS… -- COMMAND…: what a container says
in_() {
  local flags=()
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  echo "== ${flags[*]}" | sed "s,$PWD,HERE,g"
  docker run --rm $N "${flags[@]}" image "$@"
  echo "status $?"
}
mkdir -p volume/below other
echo outside > volume/file
echo low > volume/below/file
printf 'A=1\n# none\nB=two words\n' > env

in_ --sysctl kernel.shmmni=77 --sysctl net.ipv4.ip_unprivileged_port_start=80 --sysctl kernel.sem="100 200 30 40" -- cat /proc/sys/kernel/shmmni /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/sem
in_ --sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.lo.accept_ra=2 --sysctl net.ipv4.conf.all.rp_filter=2 --sysctl net.ipv4.conf.default.arp_ignore=1 -- sh -c 'cd /proc/sys/net; cat ipv6/conf/all/disable_ipv6 ipv6/conf/lo/accept_ra ipv4/conf/all/rp_filter ipv4/conf/default/arp_ignore'
in_ --sysctl net.ipv4.tcp_keepalive_time=600 --sysctl net.core.somaxconn=1024 --sysctl net.ipv4.ip_local_port_range="1024 65000" --sysctl net.ipv4.ping_group_range="0 100" -- sh -c 'cd /proc/sys/net; cat ipv4/tcp_keepalive_time core/somaxconn ipv4/ip_local_port_range ipv4/ping_group_range'
in_ --sysctl fs.mqueue.msg_max=7 -- cat /proc/sys/fs/mqueue/msg_max
in_ --device /dev/zero:/dev/mine:r --device /dev/full -- sh -c 'head -c 4 /dev/mine | od -An -tx1; ls -l /dev/mine /dev/full | cut -d" " -f1; echo x > /dev/full'
in_ --hostname boxy --domainname example.org -- sh -c 'hostname; cat /proc/sys/kernel/domainname; tail -1 /etc/hosts | cut -f2; cat /etc/hostname'
in_ --add-host a:10.1.2.3 --add-host b:fd00::1 -- sh -c 'grep -E "10.1.2.3|fd00::1" /etc/hosts'
in_ --dns 10.9.8.7 --dns-search example.org --dns-option ndots:3 -- cat /etc/resolv.conf
in_ --env-file env -e C -e D=4 -- sh -c 'echo "$A $B ${C-none} $D"'
in_ --workdir /new/place --entrypoint pwd -- -P
in_ --entrypoint '' -- echo no entrypoint
in_ --read-only --tmpfs /scratch:size=64k,mode=700,uid=5,noexec -- sh -c 'stat -c "%a %u" /scratch; grep " /scratch " /proc/mounts | tr , "\n" | grep -E "noexec|nosuid|size|mode|uid"; head -c 100000 /dev/zero > /scratch/big; touch /x'
in_ --mount type=bind,src="$PWD/volume",dst=/v,readonly -- sh -c 'cat /v/file /v/below/file; touch /v/x'
in_ --mount type=bind,src="$PWD/volume/file",dst=/one -- sh -c 'cat /one; echo more >> /one'
cat volume/file
in_ --mount type=tmpfs,dst=/t,tmpfs-size=65536,tmpfs-mode=1770 -- sh -c 'stat -c %a /t; df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
in_ --mount type=volume,src=named,dst=/tmp2,volume-nocopy -- sh -c 'echo x > /tmp2/a; ls /tmp2'
in_ --mount type=volume,dst=/etc,volume-label=x -- sh -c 'test -e /etc/hosts && echo hosts'
in_ -v "$PWD/nonexistent:/made" -- sh -c 'touch /made/a; ls /made'
in_ --security-opt no-new-privileges -- grep NoNewPrivs /proc/self/status
in_ --security-opt seccomp=unconfined -- grep -E '^Seccomp:' /proc/self/status
in_ --cap-add SYS_ADMIN --cap-add NET_ADMIN -- grep Cap /proc/self/status
in_ --cap-drop ALL --cap-add CHOWN -u 5 -- grep Cap /proc/self/status
in_ --init -- sh -c 'cat /proc/1/comm; sleep 1000 & kill -9 $!; wait $!; echo $?'
in_ --oom-score-adj 200 -- cat /proc/self/oom_score_adj
in_ --cgroup-parent runsk-parent -- echo parent
in_ --shm-size 3m -- sh -c 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2'
in_ -a stdout -- sh -c 'echo out; echo err >&2'
docker volume rm named
find /sys/fs/cgroup -maxdepth 2 -name runsk-parent -empty | wc -l
in_ --ipc host -- sh -c 'file=/dev/shm/of-$(hostname); echo shared >$file; cat $file; rm $file; grep -c " /dev/shm " /proc/mounts'
in_ --ipc none -- sh -c 'grep -c " /dev/shm " /proc/mounts'
in_ --ulimit nofile=77:88 --ulimit nproc=55 --ulimit core=0 -- sh -c 'grep -E "Max (open|proc|core)" /proc/self/limits'
in_ --no-healthcheck --stop-signal 12 --stop-timeout 3 -- echo stop
in_ --device /dev/nonexistent -- true
stop_docker
