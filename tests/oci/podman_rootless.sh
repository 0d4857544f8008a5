# podman as an ordinary user.
. "$LIB"

make_user "$PWD/home"
# podman refuses a long path here
USER_RUN=$(mktemp -d /tmp/podman.XXXXXX)
trap 'rm -rf "$USER_RUN"' EXIT
mkdir "$USER_RUN/run" home/volume
tar -C "$BASE" -c . > home/image.tar
echo outside > home/volume/file
chown -R $USER_ID:$USER_ID home "$USER_RUN"
podman() { as_user timeout -k 1 60 podman --root "$USER_HOME/storage" --runroot "$USER_RUN/run" \
  --storage-driver vfs --runtime "$(command -v "$RUNTIME")" --cgroup-manager cgroupfs \
  --events-backend none "$@" 2>>"$USER_HOME/../stderr"; }
cd home
N="--network none"
podman import image.tar image >/dev/null
say run podman run --rm $N image echo hello
say status podman run --rm $N image sh -c 'exit 5'
say user podman run --rm -u 5:6 $N image id -u
say terminal podman run --rm -t $N image tty
echo typed | podman run --rm -i $N image cat
say volume podman run --rm -v "$PWD/volume:/volume" $N image sh -c 'cat /volume/file; echo inside > /volume/new'
cat volume/new
podman run -d --name loop $N image sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
for i in $(seq 100); do podman logs loop | grep -q up && break; sleep 0.1; done
say exec podman exec loop sh -c 'echo in; exit 4'
podman stop -t 20 loop >/dev/null
podman wait loop
podman rm loop >/dev/null
podman ps -a -q
