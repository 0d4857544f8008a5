# podman as root, with storage of its own.
. "$LIB"

# podman refuses a long path here
RUN=$(mktemp -d /tmp/podman.XXXXXX)
trap 'rm -rf "$RUN"' EXIT
podman() { timeout -k 1 60 podman --root "$PWD/storage" --runroot "$RUN" --storage-driver vfs \
  --runtime "$(command -v "$RUNTIME")" --cgroup-manager cgroupfs --events-backend none "$@" 2>>stderr; }
N="--network none"
tar -C "$BASE" -c . | podman import - image >/dev/null
say run podman run --rm $N image echo hello
say status podman run --rm $N image sh -c 'exit 5'
say missing podman run --rm $N image nonexistent
say terminal podman run --rm -t $N image tty
echo typed | podman run --rm -i $N image cat
say user podman run --rm -u 5:6 $N image id -u
say read-only podman run --rm --read-only --tmpfs /scratch $N image sh -c 'touch /scratch/a && ls /scratch; touch /a 2>/dev/null || echo refused'
mkdir volume; echo outside > volume/file
say volume podman run --rm -v "$PWD/volume:/volume" $N image sh -c 'cat /volume/file; echo inside > /volume/new'
cat volume/new
say caps podman run --rm --cap-drop ALL $N image grep Cap /proc/self/status
# conmon ends the whole process group of what takes too long
say timeout podman run --rm --timeout 1 $N image sleep 100
say "for systemd" podman run --rm --systemd=always $N image sh -c 'ls -d /run /sys/fs/cgroup; echo $container'
podman run -d --name loop $N image sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
until_true sh -c "test \"\$(timeout 60 podman --root $PWD/storage --runroot $RUN --storage-driver vfs logs loop 2>/dev/null)\" = up"
say exec podman exec loop sh -c 'echo in; exit 4'
say "exec with input" podman exec -i loop cat <<< given
podman logs loop
say pause podman pause loop
podman ps --format '{{.Names}} {{.Status}}' | grep -o 'loop Paused'
say unpause podman unpause loop
podman stop -t 20 loop >/dev/null
podman wait loop
podman rm loop >/dev/null
podman ps -a -q
