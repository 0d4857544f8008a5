# Hooks: which, when, with what, and what their failures do.
. "$LIB"

hook() { echo '{"path": "/bin/sh", "args": ["sh", "-c", "'"$1"'"], "env": ["PATH=/usr/bin:/bin", "H='$2'"]}'; }
# the name of the hook and the state that it is told, in one line
tell() { hook "echo \$H \$(tr , '\n' | grep -o 'status[^,}]*' | tr -d '\\\" ') >> $PWD/log" "$1"; }
in_container='{"path": "/bin/sh", "args": ["sh", "-c", "echo startContainer $(tr , \"\\n\" | grep -o \"status[^,}]*\" | tr -d \"\\\" \") >> /tmp/inside"]}'

bundle b '["sh", "-c", "cat /tmp/inside; sleep 0.3"]'
jq --argjson a "$(tell prestart)" --argjson b "$(tell createRuntime)" --argjson c "$(tell createContainer)" \
   --argjson d "$in_container" --argjson e "$(tell poststart)" --argjson f "$(tell poststop)" \
   '.hooks = {prestart: [$a], createRuntime: [$b], createContainer: [$c], startContainer: [$d], poststart: [$e], poststop: [$f]}' \
   b/config.json > new && mv new b/config.json
# runc runs poststart at the end of create; the specification wants it after the start
$RT create -b b c1 </dev/null >out 2>&1
$RT start c1
until_true is c1 stopped
$RT delete c1
cut -d' ' -f1 log
cat out
rm log
say run $RT run -b b c1
cut -d' ' -f1 log

for kind in prestart createRuntime createContainer; do
  bundle b '["true"]'
  jq --argjson a "$(hook 'exit 1' x)" ".hooks.$kind = [\$a]" b/config.json > new && mv new b/config.json
  say "$kind fails" $RT create -b b c2 </dev/null >out
  word $RT state c2
done
bundle b '["true"]'
jq --argjson a '{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}' '.hooks.prestart = [$a]' b/config.json > new && mv new b/config.json
say "too slow" $RT create -b b c3 </dev/null >out
