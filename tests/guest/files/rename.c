// rename(2), renameat2(2).
#include "guest.h"

TEST(files) {
  put("a", "a"), put("b", "b");
  SHOW(rename("a", "b"));
  say_file("b");
  SHOW(rename("missing", "x"));
  SHOW(rename("b", "missing/x"));
  SHOW(rename("b", "b"));
  SHOW(link("b", "c"));
  SHOW(rename("b", "c")); // two names of one file: nothing happens
  say_dir(".");
  SHOW(rename("b", ""));
  SHOW(rename("", "b"));
  SHOW(rename("b", "c/"));
  SHOW(rename("b/", "d"));
  SHOW(rename((char *)8, "d"));
  SHOW(rename("c/x", "d"));
}

TEST(directories) {
  mkdir("d", 0755), mkdir("d/sub", 0755), mkdir("e", 0755), mkdir("full", 0755);
  put("full/f", ""), put("f", "f");
  SHOW(rename("d", "e"));
  say_dir("e");
  SHOW(rename("e", "full"));
  SHOW(rename("e", "f"));
  SHOW(rename("f", "e"));
  SHOW(rename("e", "e/sub/inside"));
  SHOW(rename("e/sub", "e"));
  SHOW(rename("e", "new/"));
  SHOW(rename("new", "."));
  SHOW(rename(".", "y"));
  SHOW(rename("new/..", "y"));
  SHOW(rename("new", "/"));
  SHOW(rename("full/f", "new/sub/g"));
  SHOW(rename("full", "new/sub2"));
  say_dir("."), say_dir("new"), say_dir("new/sub");
  struct stat a, b;
  stat("new/..", &a), stat(".", &b);
  IS(a.st_ino == b.st_ino);
  rename("new/sub", "moved");
  stat("moved/..", &a);
  IS(a.st_ino == b.st_ino);
}

TEST(links) {
  put("f", "f"), symlink("f", "l"), symlink("nowhere", "dangling"), mkdir("d", 0755), symlink("d", "ld");
  SHOW(rename("l", "l2"));
  struct stat st;
  lstat("l2", &st);
  IS(S_ISLNK(st.st_mode));
  SHOW(rename("f", "l2"));
  lstat("l2", &st);
  IS(S_ISREG(st.st_mode));
  SHOW(rename("l2", "dangling"));
  SHOW(rename("dangling", "ld"));
  say_dir(".");
  SHOW(rename("d", "ld"));
  symlink("d", "s");
  SHOW(rename("s/", "t"));
}

TEST(no_replace) {
  put("a", "a"), put("b", "b"), mkdir("d", 0755);
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "c", AT_FDCWD, "c", RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "missing", AT_FDCWD, "b", RENAME_NOREPLACE));
  say_dir(".");
}

TEST(exchange) {
  put("a", "a"), put("b", "b"), mkdir("d", 0755), put("d/in", "");
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
  say_file("a"), say_file("b");
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE));
  say_dir("a"), say_file("d");
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "missing", RENAME_EXCHANGE));
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "a/in", RENAME_EXCHANGE));
  SHOW(renameat2(AT_FDCWD, "a/in", AT_FDCWD, "a", RENAME_EXCHANGE));
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
  SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 64));
  SHOW(renameat2(99, "a", AT_FDCWD, "b", 0));
}

TEST(what_stays_open) {
  put("a", "old"), put("b", "new");
  int fd = open("a", O_RDWR), d;
  SHOW(rename("b", "a"));
  char c[4] = "";
  SHOW(pread(fd, c, 3, 0));
  say("%s", c);
  struct stat st;
  fstat(fd, &st), say("links %d", (int)st.st_nlink);
  mkdir("d", 0755), put("d/f", "x");
  d = open("d", O_RDONLY);
  rename("d", "e");
  SHOW(openat(d, "f", O_RDONLY) >= 0);
  chdir("e"), rename("../e", "../g");
  char cwd[300];
  getcwd(cwd, sizeof cwd);
  say("%s", strrchr(cwd, '/'));
  SHOW(rename("../g", "../h"));
  SHOW(access("f", F_OK));
}

TEST(as_a_user) {
  mkdir("mine", 0777), chown("mine", 1000, 1000), mkdir("sticky", 0777), chmod("sticky", 01777), mkdir("closed", 0755);
  put("sticky/roots", ""), put("closed/f", ""), put("sticky/ours", ""), chown("sticky/ours", 1000, 1000);
  setegid(1000), seteuid(1000);
  SHOW(rename("sticky/roots", "mine/x"));
  SHOW(rename("sticky/ours", "sticky/roots"));
  SHOW(rename("sticky/ours", "mine/x"));
  SHOW(rename("closed/f", "mine/y"));
  SHOW(rename("mine/x", "closed/x"));
  SHOW(unlink("sticky/roots"));
  SHOW(rename("mine", "mine2"));
}

TEST(many) {
  char a[32], b[32];
  int bad = 0;
  for (int i = 0; i < 300; i++) {
    snprintf(a, sizeof a, "n%d", i), snprintf(b, sizeof b, "n%d", i + 1);
    if (!i) put(a, "travels");
    bad += rename(a, b) != 0;
  }
  say("%d bad", bad);
  say_dir("."), say_file("n300");
}
