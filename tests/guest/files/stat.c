// stat(2), statx(2), statfs(2), access(2), mknod(2).
#include "guest.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/socket.h>

TEST(fields) {
  put("f", "12345"), chmod("f", 04751), chown("f", 7, 8), chmod("f", 04751);
  struct stat st;
  SHOW(stat("f", &st));
  say("%o links %d %d:%d size %d rdev %d blksize>0 %d", st.st_mode, (int)st.st_nlink, st.st_uid, st.st_gid, (int)st.st_size, (int)st.st_rdev, st.st_blksize > 0);
  IS(st.st_ino > 0 && st.st_dev > 0);
  IS(st.st_mtime > 1600000000 && st.st_ctime >= st.st_mtime);
  SHOW(fstat(open("f", O_RDONLY), &st));
  say("%o %d", st.st_mode, (int)st.st_size);
  SHOW(stat("missing", &st));
  SHOW(stat("f/x", &st));
  SHOW(stat("", &st));
  SHOW(stat("f", (void *)8));
  SHOW(fstat(99, &st));
  symlink("f", "l");
  SHOW(lstat("l", &st));
  say("%o %d", st.st_mode, (int)st.st_size);
  SHOW(fstatat(AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW));
  IS(S_ISLNK(st.st_mode));
  SHOW(fstatat(open("f", O_RDONLY), "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  IS(S_ISDIR(st.st_mode));
  SHOW(fstatat(AT_FDCWD, "", &st, 0));
  SHOW(fstatat(AT_FDCWD, "f", &st, 0x10000000));
  SHOW(fstatat(open("f", O_RDONLY), "x", &st, 0));
}

TEST(kinds) {
  struct stat st;
  mkdir("d", 0700), mkfifo("p", 0612), symlink("d", "l");
  SHOW(mknod("reg", S_IFREG | 0604, 0));
  SHOW(mknod("reg0", 0644, 0));
  SHOW(mknod("fifo", S_IFIFO | 0644, 0));
  SHOW(mknod("chr", S_IFCHR | 0666, makedev(1, 3)));
  SHOW(mknod("sock", S_IFSOCK | 0600, 0));
  SHOW(mknod("dir", S_IFDIR | 0755, 0));
  SHOW(mknod("reg", S_IFREG | 0600, 0));
  SHOW(mknod("missing/x", S_IFREG | 0600, 0));
  SHOW(mknod("bad", 0170000 | 0600, 0));
  static const char *names[] = {"d", "p", "l", "reg", "reg0", "fifo", "chr", "sock", "/dev/null", "/dev/zero", "/dev/tty", "/dev/full", "/dev/urandom"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (!lstat(names[i], &st)) say("%s %o %d,%d", names[i], st.st_mode, major(st.st_rdev), minor(st.st_rdev));
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "bound"};
  SHOW(bind(s, (void *)&a, sizeof a));
  stat("bound", &st), say("%o", st.st_mode);
  fstat(s, &st), say("%o", st.st_mode);
  int pp[2];
  pipe(pp), fstat(pp[0], &st), say("%o size %d", st.st_mode, (int)st.st_size);
  SHOW(open("sock", O_RDWR));
  SHOW(open("bound", O_RDWR));
}

TEST(extended) {
  put("f", "12345");
  struct statx x;
  SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
  IS((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  say("%o links %d size %d", x.stx_mode, (int)x.stx_nlink, (int)x.stx_size);
  struct stat st;
  stat("f", &st);
  IS(st.st_ino == x.stx_ino && st.st_dev == makedev(x.stx_dev_major, x.stx_dev_minor));
  IS(x.stx_mtime.tv_sec == st.st_mtime && x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
  SHOW(statx(AT_FDCWD, "f", AT_STATX_DONT_SYNC, STATX_SIZE, &x));
  SHOW(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_SIZE, &x));
  SHOW(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &x));
  SHOW(statx(AT_FDCWD, "f", 0, 0x80000000, &x));
  SHOW(statx(AT_FDCWD, "f", 0x40000000, 0, &x));
  SHOW(statx(AT_FDCWD, "missing", 0, 0, &x));
  SHOW(statx(open("f", O_RDONLY), "", AT_EMPTY_PATH, STATX_SIZE, &x));
  SHOW(statx(AT_FDCWD, "", 0, 0, &x));
  SHOW(statx(99, "f", 0, 0, &x));
  SHOW(statx(AT_FDCWD, "f", 0, STATX_SIZE, (void *)8));
  SHOW(statx(AT_FDCWD, "f", 0, 0, &x));
  say("%d", (int)x.stx_size);
}

TEST(accessibility) {
  put("f", ""), chmod("f", 0640);
  SHOW(access("f", F_OK));
  SHOW(access("f", R_OK | W_OK));
  SHOW(access("f", X_OK));
  SHOW(access("missing", F_OK));
  SHOW(access("f", 8));
  SHOW(access("f/x", F_OK));
  SHOW(access(".", X_OK));
  SHOW(RAW(faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
  SHOW(RAW(faccessat2, AT_FDCWD, "f", R_OK, 1));
  SHOW(RAW(faccessat2, open("f", O_RDONLY), "", R_OK, AT_EMPTY_PATH));
  SHOW(RAW(faccessat, AT_FDCWD, "f", R_OK));
  CHILD("user") {
    seteuid(1000);
    SHOW(access("f", R_OK)); // the real user is still root
    SHOW(RAW(faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
    seteuid(0), setuid(1000);
    SHOW(access("f", R_OK));
    SHOW(access("f", F_OK));
    SHOW(access("/root/x", F_OK));
  }
  chmod("f", 0001);
  SHOW(access("f", X_OK));
}

TEST(file_systems) {
  struct statfs a;
  SHOW(statfs(".", &a));
  IS(a.f_bsize > 0 && a.f_blocks >= a.f_bfree && a.f_bfree >= a.f_bavail);
  say("names %d", (int)a.f_namelen);
  SHOW(fstatfs(open(".", O_RDONLY), &a));
  SHOW(statfs("missing", &a));
  SHOW(fstatfs(99, &a));
  SHOW(statfs(".", (void *)8));
  SHOW(statfs("/proc", &a));
  say("proc %lx", (long)a.f_type);
  SHOW(statfs("/dev/shm", &a));
  say("shm %lx", (long)a.f_type);
  SHOW(statfs("/dev/pts", &a));
  say("pts %lx", (long)a.f_type);
  SHOW(statfs("/sys", &a));
  say("sys %lx", (long)a.f_type);
  struct statvfs v;
  SHOW(statvfs("/dev/shm", &v));
  IS((v.f_flag & (ST_NOSUID | ST_NOEXEC)) == (ST_NOSUID | ST_NOEXEC));
  int p[2];
  pipe(p);
  SHOW(fstatfs(p[0], &a));
  say("pipe %lx", (long)a.f_type);
}

TEST(different_file_systems) {
  struct stat st;
  dev_t seen[6];
  static const char *at[] = {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/sys"};
  for (int i = 0; i < 6; i++) stat(at[i], &st), seen[i] = st.st_dev;
  for (int i = 0; i < 6; i++) for (int j = 0; j < i; j++) if (seen[i] == seen[j]) say("%s and %s are one", at[i], at[j]);
  put("f", "");
  SHOW(link("f", "/dev/shm/x"));
  SHOW(rename("f", "/dev/shm/x"));
  SHOW(rmdir("/dev/shm"));
  SHOW(rename("/dev/shm", "/dev/moved"));
}
