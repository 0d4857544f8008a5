# What a kubelet has done by containerd's CRI plugin: a pod with a network that a CNI plugin has
# made, containers in it, their logs, limits and ends.
. "$LIB"

if [ "${APART-}" != yes ]; then
  # The bridge is nobody else's.
  APART=yes exec unshare -n bash -u "$0"
fi
case $KIND in
  runsk) TYPE=io.containerd.runsk.v1 ;;
  *) TYPE=io.containerd.runc.v2 ;;
esac
ip link set lo up
mkdir -p /run/containerd /run/netns /var/lib/cni cni
for dir in /run/containerd /run/netns /var/lib/cni; do mount -t tmpfs tmpfs $dir; done
cat > cni/10-pods.conflist <<J
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "pods", "isGateway": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
J
start_containerd "
[plugins.\"io.containerd.grpc.v1.cri\"]
  sandbox_image = \"here/box:1\"
  disable_apparmor = true
  restrict_oom_score_adj = true
  cni = { bin_dir = \"/usr/lib/cni\", conf_dir = \"$PWD/cni\" }
  containerd = { snapshotter = \"native\", default_runtime_name = \"tested\", runtimes = { tested = { runtime_type = \"$TYPE\" } } }"

# the words of protobuf, and a client's of runtime.v1
cat > client.py <<'P'
import grpc, hashlib, io, json, os, sys, tarfile, time

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])

def encode(message):
    """A message as {field's number: value, or list of values}."""
    out = b""
    for number, values in message.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                out += varint(number << 3) + varint(value)
                continue
            value = encode(value) if isinstance(value, dict) else value.encode()
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out

def decode(data):
    """{field's number: its last value, bytes or a number}"""
    message, at = {}, 0
    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        message[key >> 3] = value
    return message

channel = grpc.insecure_channel("unix:" + os.getcwd() + "/c.sock")
def call(method, message):
    name = "/runtime.v1.RuntimeService/" + method
    return decode(channel.unary_unary(name)(encode(message), timeout=60))
def ask(method, message):
    """The same, and says how it went."""
    try:
        answer = call(method, message)
        print(method, "done", flush=True)
        return answer
    except grpc.RpcError as error:
        print(method, error.code().name, flush=True)
        print(error.details(), file=sys.stderr)
        return {}

def image(root, name):
    """As `docker save` writes it, for `ctr images import`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    layer = layer.getvalue()
    run = {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}
    config = {"architecture": "amd64", "os": "linux", "config": run, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open("image.tar", "w") as tar:
        for name, data in (("layer.tar", layer), ("config.json", json.dumps(config).encode()),
                ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
P
/usr/bin/python3 -c 'import client, sys; client.image(sys.argv[1], "here/box:1")' "$BASE"
until_true $CTR -n k8s.io images import image.tar

cat > kubelet.py <<'P'
from client import *
os.makedirs("logs", exist_ok=True)
os.makedirs("volume", exist_ok=True)
# pids are each container's own
APART = {2: 1}
pod = {1: {1: "pod", 2: "uid", 3: "default"}, 2: "podhost", 3: os.getcwd() + "/logs",
    4: {1: ["10.96.0.10"], 2: ["default.svc"], 3: ["ndots:5"]},
    8: {1: "/" + sys.argv[1], 2: {1: APART}, 3: [{1: "net.ipv4.ip_unprivileged_port_start", 2: "0"}]}}
sandbox = ask("RunPodSandbox", {1: pod})[1].decode()
def address():
    status = decode(call("PodSandboxStatus", {1: sandbox})[1])
    return decode(status[5])[1].decode()

def make(name, script, memory=0, **security):
    """A container that runs."""
    config = {1: {1: name}, 2: {1: "here/box:1"}, 3: ["/bin/sh", "-c", script], 6: {1: "A", 2: "1"},
        7: {1: "/volume", 2: os.getcwd() + "/volume"}, 11: name + ".log",
        15: {1: {1: 100000, 2: 50000, 3: 512, 4: memory, 5: 999}, 2: {3: APART} | security.get("security", {})}}
    print("--", name)
    container = ask("CreateContainer", {1: sandbox, 2: config, 3: pod})[1].decode()
    ask("StartContainer", {1: container})
    return container
def run(container, *command, timeout=20):
    try:
        answer = call("ExecSync", {1: container, 2: list(command), 3: timeout})
        print(command, answer.get(3, 0), answer.get(1, b"").decode(), answer.get(2, b"").decode())
    except grpc.RpcError as error:
        print(command, error.code().name)
def status(container):
    return decode(call("ContainerStatus", {1: container})[1])
def end(container):
    for _ in range(600):
        found = status(container)
        if found.get(3) == 2:
            return print("ended:", found.get(7, 0), found.get(10, b"").decode())
        time.sleep(0.05)
    print("it does not end")
def until(container, *command):
    for _ in range(600):
        if call("ExecSync", {1: container, 2: list(command), 3: 20}).get(3, 0) == 0:
            return
        time.sleep(0.05)

web = make("web", "echo up; echo page > /tmp/page; exec httpd -f -p 8080 -h /tmp", 64 << 20)
client = make("client", "trap 'exit 7' TERM; touch /tmp/up; while :; do sleep 0.1; done", 96 << 20)
until(client, "wget", "-qO-", "http://127.0.0.1:8080/page")
run(client, "wget", "-qO-", "http://127.0.0.1:8080/page")
run(client, "wget", "-qO-", "http://%s:8080/page" % address())
print("from outside:", os.popen("wget -qO- -T 10 http://%s:8080/page" % address()).read())
run(client, "cat", "/etc/hostname", "/etc/resolv.conf", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
run(web, "sh", "-c", "echo note > /volume/note")
run(client, "cat", "/volume/note")
run(client, "sh", "-c", "ps -o comm | grep -c httpd")
run(client, "sh", "-c", "echo out; echo error >&2; exit 5")
run(client, "sleep", "100", timeout=1)
for container in web, client:
    stats = decode(call("ContainerStats", {1: container})[1])
    cpu, memory = decode(decode(stats[2])[2]), decode(decode(stats[3])[2])
    print("processor time:", cpu.get(1, 0) > 0, "memory:", 1 << 16 < memory.get(1, 0) < 64 << 20)
ask("UpdateContainerResources", {1: client, 2: {1: 100000, 2: 100000, 4: 128 << 20}})
run(client, "sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo dd: $?")

end(make("hog", "tail /dev/zero; echo \"tail: $?\"; exit 3", 32 << 20))
restricted = {1: {2: "ALL"}, 5: {1: 1000}, 7: 1, 11: 1, 15: {}}
end(make("user", "id -u; grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status; touch /x", security=restricted))
ask("StopContainer", {1: client, 2: 10})
end(client)
ask("RemoveContainer", {1: client})
run(web, "wget", "-qO-", "http://127.0.0.1:8080/page")
end(make("client", "exit 9"))
ask("ReopenContainerLog", {1: web})
for name in "web", "hog", "user":
    lines = sorted(line.split(" ", 1)[1] for line in open("logs/%s.log" % name))
    print("-- log of", name + "\n" + "".join(lines), end="")
ask("StopPodSandbox", {1: sandbox})
end(web)
ask("RemovePodSandbox", {1: sandbox})
print(call("ListContainers", {}), call("ListPodSandbox", {}))
P
/usr/bin/python3 kubelet.py "${PWD##*/}" 2>errors
stop_containerd
find run -name config.json
