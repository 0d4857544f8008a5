// path_resolution(7), capabilities(7): who may read, write, execute and search.
#include "guest.h"

static void be(int user, int group) {
  setgroups(0, NULL), setresgid(group, group, group), setresuid(user, user, user);
}

static void try_all(const char *who, const char *path) {
  char line[64];
  int r = open(path, O_RDONLY), w, x = access(path, X_OK);
  snprintf(line, sizeof line, "%s", r < 0 ? error_name(errno) : "reads");
  w = open(path, O_WRONLY);
  say("%s %s: %s %s %s", who, path, line, w < 0 ? error_name(errno) : "writes", x ? "-" : "executes");
}

TEST(owner_group_other) {
  static const int modes[] = {0, 0400, 0040, 0004, 0200, 0020, 0002, 0070, 0007, 0700, 0644, 0755, 0111};
  char name[16];
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) snprintf(name, sizeof name, "m%03o", modes[i]), put(name, ""), chown(name, 1000, 100), chmod(name, modes[i]);
  static const struct { const char *who; int user, group; } people[] = {{"owner", 1000, 1000}, {"member", 1001, 100}, {"other", 1002, 1002}, {"root", 0, 0}};
  for (int p = 0; p < 4; p++)
    CHILD(people[p].who) {
      be(people[p].user, people[p].group);
      for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) snprintf(name, sizeof name, "m%03o", modes[i]), try_all(people[p].who, name);
    }
}

TEST(supplementary_groups) {
  put("f", ""), chown("f", 0, 77), chmod("f", 0640);
  CHILD("without") { be(1000, 1000); SHOW(open("f", O_RDONLY)); }
  CHILD("with") { setgroups(3, (gid_t[]){5, 77, 9}), setgid(1000), setuid(1000); SHOW(open("f", O_RDONLY)); SHOW(open("f", O_RDWR)); }
}

TEST(directories) {
  mkdir("search", 0711), mkdir("list", 0744), mkdir("write", 0733), mkdir("none", 0700), mkdir("all", 0777), chmod("write", 0733), chmod("all", 0777);
  static const char *dirs[] = {"search", "list", "write", "none", "all"};
  char name[32];
  for (int i = 0; i < 5; i++) snprintf(name, sizeof name, "%s/f", dirs[i]), put(name, "");
  be(1000, 1000);
  for (int i = 0; i < 5; i++) {
    int listed, opened, made, removed, entered;
    errno = 0, listed = open(dirs[i], O_RDONLY) < 0 ? errno : 0;
    snprintf(name, sizeof name, "%s/f", dirs[i]);
    opened = open(name, O_RDONLY) < 0 ? errno : 0;
    entered = chdir(dirs[i]) ? errno : (chdir(here), 0);
    snprintf(name, sizeof name, "%s/new", dirs[i]);
    made = open(name, O_CREAT | O_EXCL, 0600) < 0 ? errno : 0;
    snprintf(name, sizeof name, "%s/f", dirs[i]);
    removed = unlink(name) ? errno : 0;
    say("%s: list %s, open %s, enter %s, make %s, remove %s", dirs[i], error_name(listed), error_name(opened), error_name(entered), error_name(made), error_name(removed));
  }
  SHOW(open("none/missing", O_RDONLY));
  SHOW(open("search/missing", O_RDONLY));
  SHOW(mkdir("search/d", 0700));
  SHOW(rmdir("search"));
  SHOW(symlink("x", "search/l"));
  SHOW(link("search/f", "all/g") == 0 || errno == EPERM); // depends on protected_hardlinks
  SHOW(mkfifo("list/p", 0600));
}

TEST(sticky_directories) {
  mkdir("t", 0777), chmod("t", 01777);
  put("t/roots", ""), put("t/mine", ""), put("t/theirs", ""), chown("t/mine", 1000, 1000), chown("t/theirs", 1001, 1001), chmod("t/theirs", 0666);
  mkdir("own", 0777), chmod("own", 01777), chown("own", 1000, 1000), put("own/roots", "");
  be(1000, 1000);
  SHOW(unlink("t/roots"));
  SHOW(unlink("t/theirs"));
  SHOW(rename("t/theirs", "t/x"));
  SHOW(unlink("t/mine"));
  SHOW(unlink("own/roots"));
  SHOW(open("t/new", O_CREAT | O_EXCL, 0600) >= 0);
}

TEST(capabilities_override) {
  put("f", "secret"), chmod("f", 0), mkdir("d", 0), put("script", "#!/guest --role hello\n"), chmod("script", 0644);
  SHOW(open("f", O_RDWR) >= 0);
  SHOW(open("d", O_RDONLY) >= 0);
  SHOW(access("d/x", F_OK));
  SHOW(access("script", X_OK));
  CHILD("after setuid") {
    be(1000, 1000);
    SHOW(open("f", O_RDONLY));
    SHOW(open("d", O_RDONLY));
    SHOW(access("d/x", F_OK));
  }
  CHILD("effective only") {
    seteuid(1000);
    SHOW(open("f", O_RDONLY));
    seteuid(0);
    SHOW(open("f", O_RDONLY) >= 0);
  }
  int fd = open("f", O_RDWR);
  CHILD("open before") { be(1000, 1000); char b[8] = ""; SHOW(read(fd, b, 6)); say("%s", b); SHOW(fchmod(fd, 0777)); SHOW(write(fd, "x", 1)); }
}

TEST(atime_and_flags) {
  put("f", "x"), chmod("f", 0666);
  SHOW(open("f", O_RDONLY | O_NOATIME) >= 0);
  be(1000, 1000);
  SHOW(open("f", O_RDONLY | O_NOATIME));
  SHOW(open("f", O_RDONLY) >= 0);
  SHOW(mknod("n", S_IFCHR | 0600, 0x103));
  SHOW(chroot("."));
}
