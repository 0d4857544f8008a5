# A directory of many files, of which most are only looked at: what is then done with some of
# them by name, and what the host sees afterwards.
. "$LIB"

bundle b '["sh", "/script"]'
mkdir b/rootfs/d b/rootfs/e
for i in $(seq 400); do
  printf "%0$((i % 50 + 1))d" "$i" > "b/rootfs/d/$i"
  ln -s "$i" "b/rootfs/d/link$i"
done
ln b/rootfs/d/7 b/rootfs/d/seven
mkdir b/rootfs/d/below

cat > b/rootfs/script <<'S'
cd /d
look() { stat -c '%n %s %h %F %a' "$@"; }
look * | md5sum
for i in 1 2 3 4; do readlink link$i; done
# changes of what was only looked at
rm 10 link10
mv 11 12
mv 13 ../e/13
ln 14 fourteen
chmod 600 15
echo more >> 16
: > 17
touch -d @1000000000 18
mv link19 19
look 10 link10 11 12 ../e/13 14 fourteen 15 16 17 18 19 link19 2>&1
cat 12 ../e/13 fourteen 16 seven | md5sum
# a name that comes again, for something else
rm 20; mkdir 20; echo in > 20/in
mv 21 21.old; echo new > 21
look 20 20/in 21 21.old
cat 21 21.old
# an open file outlives its name, and is not what the name is later
exec 3<22
rm 22; echo other > 22
cat <&3; cat 22
# in another directory of the same names
cp -a /d /e/copy
look /e/copy/* | wc -l
rm -r /e/copy
ls -i 7 seven | awk '{ print $1 }' | uniq | wc -l
look 7 seven
rm 7
look seven
rm -f 3* link3*
ls | wc -l
sync
S
$RT run -b b c
(cd b/rootfs && find d e | sort | xargs stat -c '%n %s %h %a' | grep -v ' 4096 ' | md5sum; find d e -type l | wc -l)
