// mkdir(2), rmdir(2), getdents64(2), chdir(2), getcwd(2).
#include "guest.h"

struct entry { uint64_t ino; int64_t off; unsigned short length; unsigned char type; char name[]; };

TEST(making) {
  struct stat st;
  umask(022);
  SHOW(mkdir("d", 0777));
  stat("d", &st), say("%o links %d", st.st_mode, (int)st.st_nlink);
  SHOW(mkdir("d", 0777));
  SHOW(mkdir("d/e/f", 0777));
  SHOW(mkdir("d/e/", 01777));
  stat("d/e", &st), say("%o", st.st_mode);
  stat("d", &st), say("links %d", (int)st.st_nlink);
  SHOW(mkdir("", 0777));
  SHOW(mkdir("/", 0777));
  SHOW(mkdir(".", 0777));
  SHOW(mkdir("d/..", 0777));
  SHOW(mkdir("d/e/.", 0777));
  put("f", "");
  SHOW(mkdir("f", 0777));
  SHOW(mkdir("f/x", 0777));
  SHOW(mkdirat(99, "x", 0777));
  SHOW(mkdirat(open("d", O_RDONLY), "x", 02700));
  stat("d/x", &st), say("%o", st.st_mode);
}

TEST(removing) {
  mkdir("d", 0755), mkdir("d/e", 0755), put("f", ""), symlink("d", "l");
  SHOW(rmdir("d"));
  SHOW(rmdir("d/."));
  SHOW(rmdir("d/e/.."));
  SHOW(rmdir("f"));
  SHOW(rmdir("l"));
  SHOW(rmdir("l/"));
  SHOW(rmdir("missing"));
  SHOW(rmdir("/"));
  SHOW(rmdir(""));
  SHOW(rmdir("d/e/"));
  SHOW(rmdir("d"));
  SHOW(rmdir("/proc/self"));
  SHOW(rmdir("/tmp"));
}

TEST(removed_while_inside) {
  mkdir("d", 0755);
  int d = open("d", O_RDONLY);
  chdir("d");
  SHOW(rmdir("../d"));
  char b[300];
  SHOW(RAW(getcwd, b, sizeof b));
  SHOW(open("f", O_CREAT | O_RDWR, 0600));
  SHOW(mkdir("e", 0755));
  SHOW(access(".", F_OK));
  SHOW(access("..", F_OK));
  SHOW(open(".", O_RDONLY) >= 0);
  SHOW(RAW(getdents64, d, b, sizeof b));
  struct stat st;
  SHOW(fstat(d, &st));
  say("links %d", (int)st.st_nlink);
  SHOW(chdir(".."));
  SHOW(fchdir(d));
  SHOW(mkdirat(d, "x", 0700));
}

TEST(listing) {
  enum { FILES = 1000 };
  char name[16], b[1000];
  static bool seen[FILES];
  for (int i = 0; i < FILES; i++) snprintf(name, sizeof name, "f%d", i), close(open(name, O_CREAT | O_WRONLY, 0600));
  int d = open(".", O_RDONLY), total = 0, twice = 0, dots = 0;
  for (int n; (n = RAW(getdents64, d, b, sizeof b)) > 0;)
    for (int at = 0; at < n;) {
      struct entry *e = (void *)(b + at);
      at += e->length;
      if (e->length % 8) say("unaligned");
      if (e->name[0] == '.') { dots++; continue; }
      int i = atoi(e->name + 1);
      twice += seen[i], seen[i] = true, total++;
    }
  say("%d files, %d twice, %d dots", total, twice, dots);
  SHOW(RAW(getdents64, d, b, sizeof b));
  SHOW(lseek(d, 0, SEEK_SET));
  SHOW(RAW(getdents64, d, b, sizeof b) > 0);
  SHOW(RAW(getdents64, d, b, 5));
  SHOW(RAW(getdents64, 99, b, sizeof b));
  put("plain", "");
  SHOW(RAW(getdents64, open("plain", O_RDONLY), b, sizeof b));
  SHOW(RAW(getdents64, d, (char *)8, 1000));
  SHOW(RAW(getdents, open(".", O_RDONLY), b, sizeof b) > 0);
}

TEST(types) {
  put("file", ""), mkdir("dir", 0755), symlink("x", "link"), mkfifo("fifo", 0600);
  struct dirent **names;
  int n = scandir(".", &names, NULL, alphasort);
  for (int i = 0; i < n; i++) say("%s %d", names[i]->d_name, names[i]->d_type);
  struct stat here_, up, e;
  stat(".", &here_), stat("..", &up), lstat("file", &e);
  for (int i = 0; i < n; i++) {
    if (!strcmp(names[i]->d_name, ".")) IS(names[i]->d_ino == here_.st_ino);
    if (!strcmp(names[i]->d_name, "file")) IS(names[i]->d_ino == e.st_ino);
  }
}

TEST(positions) {
  char name[16];
  for (int i = 0; i < 60; i++) snprintf(name, sizeof name, "f%d", i), put(name, "");
  DIR *d = opendir(".");
  char third[64] = "", again[64] = "";
  readdir(d), readdir(d);
  long at = telldir(d);
  strcpy(third, readdir(d)->d_name);
  while (readdir(d)) {}
  seekdir(d, at);
  strcpy(again, readdir(d)->d_name);
  IS(!strcmp(third, again));
  rewinddir(d);
  int n = 0;
  while (readdir(d)) n++;
  say("%d entries", n);
  put("late", "");
  rewinddir(d), n = 0;
  while (readdir(d)) n++;
  say("%d entries", n);
}

TEST(deleting_while_reading) {
  char name[16];
  for (int i = 0; i < 500; i++) snprintf(name, sizeof name, "f%d", i), put(name, "");
  DIR *d = opendir(".");
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) if (e->d_name[0] == 'f') n += !unlink(e->d_name);
  say("%d deleted", n);
  say_dir(".");
}

TEST(working_directory) {
  char b[300], *p;
  mkdir("d", 0755), mkdir("d/e", 0755), put("f", ""), symlink("d/e", "l");
  SHOW(chdir("d/e"));
  p = getcwd(b, sizeof b), say("%s", p + strlen(here));
  SHOW(chdir(".."));
  SHOW(chdir("../l"));
  p = getcwd(b, sizeof b), say("%s", p + strlen(here));
  SHOW(chdir("/"));
  SHOW(RAW(getcwd, b, sizeof b));
  SHOW(chdir(here));
  SHOW(RAW(getcwd, b, 2));
  SHOW(RAW(getcwd, b, strlen(here)));
  SHOW(RAW(getcwd, b, strlen(here) + 1) > 0);
  SHOW(RAW(getcwd, (char *)8, 300));
  SHOW(chdir("f"));
  SHOW(chdir("missing"));
  SHOW(chdir(""));
  SHOW(fchdir(open("f", O_RDONLY)));
  SHOW(fchdir(99));
  SHOW(fchdir(open("d", O_RDONLY)));
  say_dir(".");
  CHILD("child") { chdir("/"); }
  SHOW(access("e", F_OK));
}

TEST(changed_root) {
  mkdir("r", 0755), mkdir("r/d", 0755), put("r/f", "in the root"), put("out", ""), symlink("/f", "r/abs"), symlink("../../out", "r/escape");
  CHILD("chroot") {
    SHOW(chroot("missing"));
    SHOW(chroot("out"));
    SHOW(chroot("r"));
    SHOW(access("out", F_OK)); // the working directory is outside
    SHOW(access("/f", F_OK));
    SHOW(access("/out", F_OK));
    SHOW(chdir("/"));
    say_file("abs");
    SHOW(access("escape", F_OK));
    SHOW(access("../../../f", F_OK));
    char b[100];
    SHOW(RAW(getcwd, b, sizeof b));
    setuid(1000);
    SHOW(chroot("/d"));
  }
  SHOW(access("/f", F_OK));
}

TEST(set_group_id) {
  mkdir("g", 0755), chown("g", 0, 50), chmod("g", 02775);
  put("g/f", ""), mkdir("g/d", 0755);
  struct stat st;
  stat("g/f", &st), say("%d %o", st.st_gid, st.st_mode);
  stat("g/d", &st), say("%d %o", st.st_gid, st.st_mode);
}
