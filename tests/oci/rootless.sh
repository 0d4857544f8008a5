# As an ordinary user, with one id and with a range of them.
. "$LIB"

make_user "$PWD/home"
RT="as_user timeout 60 $RUNTIME --root $PWD/home/state"
bundle home/b '["true"]'
chown -R $USER_ID:$USER_ID home
one='.linux.namespaces += [{type: "user"}] | .linux.namespaces -= [{type: "network"}]
  | .linux.uidMappings = [{containerID: 0, hostID: '$USER_ID', size: 1}]
  | .linux.gidMappings = [{containerID: 0, hostID: '$USER_ID', size: 1}]'
many=$one'
  | .linux.uidMappings += [{containerID: 1, hostID: 300000, size: 65536}]
  | .linux.gidMappings += [{containerID: 1, hostID: 300000, size: 65536}]'
devpts='| .mounts |= map(if .type == "devpts" then .options += ["mode=0620"] else . end)'

for maps in one many; do
  echo "$maps"
  bundle home/b '["sh", "-c", "id -u; touch /made; stat -c %u /made; exit 3"]' "${!maps} $devpts"
  say run $RT run -b home/b c1
  stat -c %u home/b/rootfs/made; rm -f home/b/rootfs/made
  bundle home/b '["sh", "-c", "trap \"exit 7\" TERM; touch /tmp/ready; while :; do sleep 0.1; done"]' "${!maps} $devpts"
  cat > life <<J
    . "$LIB"
    USER_HOME=$PWD/home
    RT="$RT"
    \$RT create -b home/b --pid-file home/pid c1 </dev/null >out 2>&1 || { cat out; exit 1; }
    status c1 >state.out
    \$RT start c1
    until \$RT exec c1 test -e /tmp/ready; do sleep 0.1; done
    \$RT exec c1 sh -c 'id -u; echo in' >exec.out
    \$RT kill c1 TERM
J
  say adopt "$TESTKIT" adopt home/pid -- bash life
  cat state.out exec.out
  status c1
  say delete $RT delete c1
done
bundle home/b '["sh", "-c", "touch /tmp/f; chown 5:6 /tmp/f; stat -c %u:%g /tmp/f; touch /made; chown 7 /made; stat -c %u /made"]' "$many $devpts"'
  | .process.capabilities.effective = ["CAP_CHOWN"] | .process.capabilities.permitted = ["CAP_CHOWN"]'
say owners $RT run -b home/b c1
stat -c %u home/b/rootfs/made
bundle home/b '["id", "-u"]' "$many $devpts | .process.user.uid = 9"
say user $RT run -b home/b c1
word $RT state c1
ls -A home/state
