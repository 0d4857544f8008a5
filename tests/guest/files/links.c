// link(2), symlink(2), readlink(2), unlink(2) and the ways a name is resolved.
#include "guest.h"

TEST(hard_links) {
  put("f", "data"), mkdir("d", 0755);
  struct stat a, b;
  SHOW(link("f", "g"));
  stat("f", &a), stat("g", &b);
  IS(a.st_ino == b.st_ino && a.st_nlink == 2);
  SHOW(link("f", "g"));
  SHOW(link("missing", "h"));
  SHOW(link("d", "h"));
  SHOW(link("f", "missing/h"));
  SHOW(link("f", "h/"));
  SHOW(link("f", ""));
  SHOW(link("f", "d"));
  chmod("g", 0600), stat("f", &a), say("%o", a.st_mode & 0777);
  put("g", "changed"), say_file("f");
  SHOW(unlink("f"));
  say_file("g");
  stat("g", &a), say("links %d", (int)a.st_nlink);
  symlink("g", "l");
  SHOW(link("l", "l2"));
  lstat("l2", &a);
  IS(S_ISLNK(a.st_mode) && a.st_nlink == 2);
  SHOW(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW));
  lstat("l3", &a);
  IS(S_ISREG(a.st_mode));
  int fd = open("g", O_RDONLY);
  SHOW(linkat(AT_FDCWD, "g", AT_FDCWD, "x", 0x40));
  SHOW(linkat(fd, "", AT_FDCWD, "x", 0));
  SHOW(link("/dev/null", "null"));
  SHOW(link("g", "/proc/x"));
}

TEST(symlinks) {
  char b[300] = "";
  SHOW(symlink("target", "l"));
  SHOW(symlink("other", "l"));
  SHOW(readlink("l", b, sizeof b));
  say("%s", b);
  memset(b, '.', 9);
  SHOW(readlink("l", b, 3));
  say("%.5s", b);
  SHOW(readlink("l", b, 0));
  SHOW(readlink("l", b, -1));
  SHOW(readlink(".", b, 10));
  SHOW(readlink("missing", b, 10));
  SHOW(readlink("l", (char *)8, 10));
  SHOW(symlink("", "empty"));
  SHOW(symlink("x", ""));
  SHOW(symlink("x", "missing/l"));
  SHOW(symlink("x", "l/"));
  char *longest = calloc(1, 4097);
  memset(longest, 'a', 4096);
  SHOW(symlink(longest, "long"));
  longest[4095] = 0;
  SHOW(symlink(longest, "long") == 0 || errno == ENAMETOOLONG); // some file systems hold less
  longest[200] = 0;
  SHOW(symlink(longest, "long2"));
  SHOW(readlink("long2", b, sizeof b));
  struct stat st;
  SHOW(lstat("l", &st));
  say("%o size %d", st.st_mode, (int)st.st_size);
  SHOW(stat("l", &st));
  SHOW(lchown("l", 5, 6));
  lstat("l", &st), say("%d:%d", st.st_uid, st.st_gid);
  SHOW(chmod("l", 0600));
  SHOW(fchmodat(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW));
  SHOW(unlink("l"));
}

TEST(loops_and_depth) {
  symlink("b", "a"), symlink("a", "b"), symlink("self", "self"), symlink(".", "dot");
  SHOW(open("a", O_RDONLY));
  SHOW(open("self", O_RDONLY));
  SHOW(open("self/x", O_RDONLY));
  struct stat st;
  SHOW(stat("a", &st));
  SHOW(lstat("a", &st));
  SHOW(lstat("a/", &st));
  put("end", "");
  char name[8], next[8], path[400] = "";
  for (int i = 0; i < 45; i++) {
    snprintf(name, sizeof name, "c%d", i), snprintf(next, sizeof next, i ? "c%d" : "end", i - 1);
    symlink(next, name);
  }
  SHOW(access("c39", F_OK));
  SHOW(access("c40", F_OK));
  for (int i = 0; i < 40; i++) strcat(path, "dot/");
  strcat(path, "end");
  SHOW(access(path, F_OK));
  memmove(path + 4, path, strlen(path) + 1), memcpy(path, "dot/", 4);
  SHOW(access(path, F_OK));
}

TEST(resolution) {
  mkdir("d", 0755), mkdir("d/e", 0755), put("d/f", "inside"), put("f", "outside");
  symlink("d/e", "l"), symlink("../f", "d/up"), symlink("/dev/../dev/null", "abs"), symlink("d/", "slash"), symlink("f/", "fslash");
  say_file("l/../f"); // .. of what the link leads to
  say_file("d/up");
  OKAY(open("abs", O_RDONLY));
  SHOW(access("slash", F_OK));
  SHOW(access("slash/f", F_OK));
  SHOW(access("fslash", F_OK));
  SHOW(access("d/f/", F_OK));
  SHOW(access("d/f/.", F_OK));
  SHOW(access("d/f/..", F_OK));
  SHOW(access("d//e/.././/f", F_OK));
  SHOW(access("../../../../../../../dev/null", F_OK));
  SHOW(mkdir("l", 0755));
  SHOW(mkdir("newlink", 0755));
  symlink("absent", "dangling");
  SHOW(mkdir("dangling", 0755));
  SHOW(mkdir("dangling/", 0755));
  SHOW(rmdir("l"));
  SHOW(rmdir("l/"));
  SHOW(unlink("l/"));
  SHOW(unlink("l"));
  SHOW(rmdir("slash"));
}

TEST(unlinking) {
  put("f", "still here"), mkdir("d", 0755), mkfifo("p", 0600);
  int fd = open("f", O_RDWR);
  SHOW(unlink("f"));
  SHOW(unlink("f"));
  SHOW(access("f", F_OK));
  char b[20] = "", proc[40], target[300] = "";
  SHOW(pread(fd, b, 19, 0));
  say("%s", b);
  SHOW(write(fd, "MORE", 4));
  SHOW(ftruncate(fd, 2));
  SHOW(lseek(fd, 0, SEEK_END));
  struct stat st;
  fstat(fd, &st), say("links %d", (int)st.st_nlink);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  readlink(proc, target, sizeof target - 1);
  say("%s", strrchr(target, '/'));
  OKAY(open(proc, O_RDONLY));
  SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
  SHOW(unlink("d"));
  SHOW(unlink("p"));
  SHOW(unlink("."));
  SHOW(unlink(""));
  SHOW(unlink("/"));
  SHOW(unlink("d/.."));
  SHOW(unlinkat(AT_FDCWD, "d", 0));
  SHOW(unlinkat(AT_FDCWD, "d", 1));
  SHOW(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
  put("f", "second");
  SHOW(pread(fd, b, 19, 0));
  SHOW(unlink("/proc/self/status"));
  SHOW(unlink("f/"));
}
