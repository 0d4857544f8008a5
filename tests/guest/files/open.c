// open(2), openat(2), openat2(2), creat(2): flags, modes and errors.
#include "guest.h"
#include <linux/openat2.h>

static int mode_of(const char *path) {
  struct stat st;
  return stat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

TEST(create_and_exclusive) {
  SHOW(open("f", O_RDONLY));
  int fd = SHOW(open("f", O_RDWR | O_CREAT, 0666));
  say("mode %o", mode_of("f"));
  SHOW(open("f", O_RDWR | O_CREAT | O_EXCL, 0600));
  SHOW(close(fd));
  SHOW(close(fd));
  SHOW(symlink("nowhere", "l"));
  SHOW(open("l", O_RDWR | O_CREAT | O_EXCL, 0600));
  SHOW(open("l", O_RDONLY));
  SHOW(open("l", O_RDWR | O_CREAT, 0640));
  say("through a dangling link: mode %o", mode_of("nowhere"));
  SHOW(open("missing/f", O_CREAT | O_RDWR, 0600));
  SHOW(open("f/x", O_CREAT | O_RDWR, 0600));
  SHOW(open("", O_RDONLY));
  SHOW(creat("c", 0604));
  say("creat mode %o", mode_of("c"));
  say_dir(".");
}

TEST(modes_and_umask) {
  static const int masks[] = {0, 022, 077, 0777, 0123};
  for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++) {
    char name[16];
    snprintf(name, sizeof name, "m%o", masks[i]);
    umask(masks[i]);
    close(open(name, O_CREAT | O_WRONLY, 07777));
    say("umask %03o: %o", masks[i], mode_of(name));
  }
  SHOW(umask(022));
  SHOW(umask(07777));
  SHOW(umask(0));
}

TEST(truncation) {
  put("f", "0123456789");
  int fd = open("f", O_RDONLY | O_TRUNC);
  OKAY(fd);
  say_file("f");
  put("f", "0123456789");
  SHOW(open("f", O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, 0600));
  say_file("f");
  fd = open("f", O_WRONLY | O_TRUNC);
  SHOW(write(fd, "ab", 2));
  say_file("f");
}

TEST(append) {
  put("f", "begin ");
  int fd = open("f", O_RDWR | O_APPEND);
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(write(fd, "end", 3));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 2, SEEK_SET));
  char b[4] = "";
  SHOW(read(fd, b, 3));
  say("%s", b);
  SHOW(pwrite(fd, "!", 1, 0)); // appends all the same, pwrite(2) BUGS
  say_file("f");
  int other = open("f", O_WRONLY | O_APPEND);
  write(other, "A", 1), write(fd, "B", 1), write(other, "C", 1);
  say_file("f");
}

TEST(directories) {
  mkdir("d", 0755);
  put("f", "x");
  OKAY(open("d", O_RDONLY));
  OKAY(open("d", O_RDONLY | O_DIRECTORY));
  SHOW(open("f", O_RDONLY | O_DIRECTORY));
  SHOW(open("d", O_WRONLY));
  SHOW(open("d", O_RDWR));
  SHOW(open("d", O_RDONLY | O_CREAT, 0600));
  SHOW(open("new", O_RDONLY | O_CREAT | O_DIRECTORY, 0600));
  SHOW(open("d", O_RDONLY | O_TRUNC));
  SHOW(open("d/", O_RDONLY) >= 0);
  SHOW(open("f/", O_RDONLY));
  SHOW(open("new/", O_CREAT | O_RDWR, 0600));
  SHOW(open("d/.", O_RDONLY) >= 0);
  SHOW(open("d/..", O_CREAT | O_RDWR, 0600));
  char b[4];
  SHOW(read(open("d", O_RDONLY), b, 4));
  say_dir(".");
}

TEST(no_follow_and_path) {
  put("f", "data");
  mkdir("d", 0755);
  symlink("f", "l");
  symlink("d", "ld");
  SHOW(open("l", O_RDONLY | O_NOFOLLOW));
  SHOW(open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
  SHOW(open("ld/../f", O_RDONLY | O_NOFOLLOW) >= 0);
  int path = open("l", O_PATH | O_NOFOLLOW);
  OKAY(path);
  struct stat st;
  SHOW(fstat(path, &st));
  IS(S_ISLNK(st.st_mode));
  char b[8] = "";
  SHOW(readlinkat(path, "", b, sizeof b));
  path = open("f", O_PATH);
  SHOW(read(path, b, 1));
  SHOW(write(path, b, 1));
  SHOW(lseek(path, 0, SEEK_SET));
  SHOW(ftruncate(path, 0));
  SHOW(fchmod(path, 0600));
  SHOW(fchown(path, 0, 0));
  SHOW(fsync(path));
  SHOW(ioctl(path, FIONREAD, &st));
  SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, path, 0) == MAP_FAILED);
  SHOW(fcntl(path, F_GETFL) & (O_PATH | O_ACCMODE));
  SHOW(fcntl(path, F_SETFL, O_APPEND));
  SHOW(fcntl(path, F_GETFD));
  SHOW(dup(path) >= 0);
  SHOW(fchdir(path));
  SHOW(fchdir(open("d", O_PATH)));
  SHOW(open("f", O_PATH | O_CREAT, 0600));
  SHOW(openat(path, "", O_RDONLY));
  char proc[40];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", path);
  int again = open(proc, O_RDONLY);
  memset(b, 0, sizeof b);
  SHOW(read(again, b, 4));
  say("%s", b);
}

TEST(openat_directories) {
  mkdir("d", 0755);
  put("d/f", "in d");
  put("f", "outside");
  int d = open("d", O_RDONLY | O_DIRECTORY), file = open("f", O_RDONLY);
  OKAY(openat(d, "f", O_RDONLY));
  SHOW(openat(d, "g", O_RDONLY));
  SHOW(openat(file, "f", O_RDONLY));
  SHOW(openat(99, "f", O_RDONLY));
  SHOW(openat(-1, "f", O_RDONLY));
  OKAY(openat(99, "/dev/null", O_RDONLY));
  OKAY(openat(AT_FDCWD, "f", O_RDONLY));
  SHOW(openat(d, "", O_RDONLY));
  OKAY(openat(d, ".", O_RDONLY));
  OKAY(openat(d, "../f", O_RDONLY));
  SHOW(openat(d, "h", O_CREAT | O_WRONLY, 0600) >= 0);
  say_dir("d");
  rename("d", "e");
  OKAY(openat(d, "f", O_RDONLY));
  unlink("e/f"), unlink("e/h"), rmdir("e");
  SHOW(openat(d, "f", O_RDONLY));
  SHOW(openat(d, "new", O_CREAT | O_RDWR, 0600));
  OKAY(openat(d, ".", O_RDONLY));
  SHOW(openat(d, "..", O_RDONLY) >= 0);
}

TEST(temporary_files) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0640);
  OKAY(fd);
  SHOW(write(fd, "hidden", 6));
  struct stat st;
  SHOW(fstat(fd, &st));
  say("mode %o links %d size %d", st.st_mode & 07777, (int)st.st_nlink, (int)st.st_size);
  say_dir(".");
  char proc[40];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  say_file("named");
  SHOW(fstat(fd, &st));
  say("links %d", (int)st.st_nlink);
  SHOW(open(".", O_TMPFILE | O_RDONLY, 0600));
  SHOW(open("named", O_TMPFILE | O_RDWR, 0600));
  SHOW(open("missing", O_TMPFILE | O_RDWR, 0600));
  fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  SHOW(linkat(AT_FDCWD, proc, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
}

TEST(access_modes) {
  put("f", "data");
  char b[4];
  int r = open("f", O_RDONLY), w = open("f", O_WRONLY);
  SHOW(write(r, "x", 1));
  SHOW(read(w, b, 1));
  SHOW(pread(w, b, 1, 0));
  SHOW(pwrite(r, b, 1, 0));
  SHOW(ftruncate(r, 0));
  SHOW(ftruncate(w, 2));
  SHOW(write(r, b, 0));
  SHOW(read(w, b, 0));
  int none = open("f", 3); // neither reading nor writing, open(2) NOTES
  OKAY(none);
  SHOW(read(none, b, 1));
  SHOW(write(none, b, 1));
}

TEST(flags_seen) {
  put("f", "");
  SHOW(fcntl(open("f", O_RDONLY), F_GETFL));
  SHOW(fcntl(open("f", O_WRONLY | O_APPEND | O_NONBLOCK), F_GETFL));
  SHOW(fcntl(open("f", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), F_GETFL));
  SHOW(fcntl(open("f", O_RDWR | O_SYNC), F_GETFL));
  SHOW(fcntl(open("f", O_RDWR | O_DSYNC), F_GETFL));
  SHOW(fcntl(open("f", O_RDONLY | O_NOFOLLOW | O_NOATIME), F_GETFL));
  SHOW(fcntl(open(".", O_RDONLY | O_DIRECTORY), F_GETFL));
  SHOW(fcntl(open(".", O_PATH), F_GETFL));
  SHOW(fcntl(open("f", O_RDONLY | O_CLOEXEC), F_GETFD));
  SHOW(fcntl(open("f", O_RDONLY), F_GETFD));
  SHOW(open("f", O_RDONLY | 0x40000000) >= 0); // unknown bits are ignored
}

TEST(names) {
  char name[5000];
  memset(name, 'n', sizeof name);
  name[255] = 0;
  SHOW(open(name, O_CREAT | O_WRONLY, 0600) >= 0);
  name[255] = 'n', name[256] = 0;
  SHOW(open(name, O_CREAT | O_WRONLY, 0600));
  for (int i = 0; i < 4200; i++) name[i] = i % 2 ? '.' : '/';
  name[4094] = '/', name[4095] = 0;
  SHOW(open(name, O_RDONLY) >= 0);
  name[4095] = '.', name[4096] = 0;
  SHOW(open(name, O_RDONLY));
  OKAY(open("//dev///null", O_RDONLY));
  OKAY(open("./././.", O_RDONLY));
  SHOW(open((char *)8, O_RDONLY));
  SHOW(open(NULL, O_RDONLY));
  SHOW(open("/..", O_RDONLY) >= 0);
  SHOW(open("caf\xc3\xa9 \x01\xff\n", O_CREAT | O_WRONLY, 0600) >= 0);
  SHOW(access("caf\xc3\xa9 \x01\xff\n", F_OK));
}

TEST(openat2_resolution) {
  mkdir("d", 0755), mkdir("d/e", 0755);
  put("d/f", "");
  symlink("f", "d/rel"), symlink("/dev/null", "d/abs"), symlink("../x", "d/up"), symlink("..", "d/e/parent");
  put("x", "");
  int d = open("d", O_RDONLY | O_DIRECTORY);
#define HOW(flags_, resolve_) &(struct open_how){.flags = flags_, .resolve = resolve_}, sizeof(struct open_how)
  OKAY(RAW(openat2, d, "f", HOW(O_RDONLY, 0)));
  OKAY(RAW(openat2, d, "rel", HOW(O_RDONLY, RESOLVE_BENEATH)));
  SHOW(RAW(openat2, d, "abs", HOW(O_RDONLY, RESOLVE_BENEATH)));
  SHOW(RAW(openat2, d, "up", HOW(O_RDONLY, RESOLVE_BENEATH)));
  SHOW(RAW(openat2, d, "../x", HOW(O_RDONLY, RESOLVE_BENEATH)));
  SHOW(RAW(openat2, d, "/dev/null", HOW(O_RDONLY, RESOLVE_BENEATH)));
  OKAY(RAW(openat2, d, "e/../f", HOW(O_RDONLY, RESOLVE_BENEATH)));
  OKAY(RAW(openat2, d, "/f", HOW(O_RDONLY, RESOLVE_IN_ROOT)));
  SHOW(RAW(openat2, d, "../x", HOW(O_RDONLY, RESOLVE_IN_ROOT)));
  SHOW(RAW(openat2, d, "rel", HOW(O_RDONLY, RESOLVE_NO_SYMLINKS)));
  SHOW(RAW(openat2, d, "e/parent/f", HOW(O_RDONLY, RESOLVE_NO_SYMLINKS)));
  OKAY(RAW(openat2, AT_FDCWD, "d/f", HOW(O_RDONLY, RESOLVE_NO_XDEV)));
  SHOW(RAW(openat2, AT_FDCWD, "/proc/self/fd/0", HOW(O_RDONLY, RESOLVE_NO_MAGICLINKS)));
  SHOW(RAW(openat2, AT_FDCWD, "/proc/version", HOW(O_RDONLY, RESOLVE_NO_XDEV)));
  SHOW(RAW(openat2, d, "f", HOW(O_RDONLY, 1 << 20)));
  SHOW(RAW(openat2, d, "f", HOW(O_RDONLY | 0x40000000, 0)));
  SHOW(RAW(openat2, d, "f", &(struct open_how){.flags = O_RDONLY, .mode = 0600}, sizeof(struct open_how)));
  SHOW(RAW(openat2, d, "g", &(struct open_how){.flags = O_CREAT | O_RDWR, .mode = 0200000}, sizeof(struct open_how)));
  SHOW(RAW(openat2, d, "f", HOW(O_RDONLY, 0) - 1));
  struct { struct open_how how; long more; } big = {.more = 0};
  OKAY(RAW(openat2, d, "f", &big, sizeof big));
  big.more = 1;
  SHOW(RAW(openat2, d, "f", &big, sizeof big));
  SHOW(RAW(openat2, d, "f", &big, 100000));
}

TEST(descriptor_limits) {
  struct rlimit limit = {10, 10};
  setrlimit(RLIMIT_NOFILE, &limit);
  int last = -1, fd;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  say("last %d, then %s", last, error_name(errno));
  SHOW(dup(0));
  SHOW(fcntl(0, F_DUPFD, 10));
  SHOW(fcntl(0, F_DUPFD, 9));
  SHOW(dup2(0, 10));
  SHOW(pipe((int[2]){0}));
  close(5);
  SHOW(pipe((int[2]){0}));
  SHOW(open("/dev/null", O_RDONLY));
  SHOW(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 10}));
  SHOW(open("/dev/null", O_RDONLY));
  SHOW(fcntl(8, F_GETFD));
}
