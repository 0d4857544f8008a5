// chmod(2), chown(2): who may, and which bits fall.
#include "guest.h"

static void show_mode(const char *path) {
  struct stat st;
  if (lstat(path, &st)) say("%s: %s", path, error_name(errno));
  else say("%s %o %d:%d", path, st.st_mode & 07777, st.st_uid, st.st_gid);
}

TEST(changing_modes) {
  put("f", ""), mkdir("d", 0755), symlink("f", "l");
  SHOW(chmod("f", 07777)), show_mode("f");
  SHOW(chmod("f", 0)), show_mode("f");
  SHOW(chmod("f", 0100644)), show_mode("f");
  SHOW(chmod("l", 0604)), show_mode("f");
  SHOW(chmod("missing", 0644));
  SHOW(chmod("f/x", 0644));
  SHOW(fchmod(open("f", O_RDONLY), 0640)), show_mode("f");
  SHOW(fchmod(99, 0640));
  SHOW(fchmodat(AT_FDCWD, "d", 01770, 0)), show_mode("d");
  SHOW(RAW(fchmodat2, AT_FDCWD, "f", 0611, 0)), show_mode("f");
  SHOW(RAW(fchmodat2, AT_FDCWD, "l", 0611, AT_SYMLINK_NOFOLLOW));
  SHOW(RAW(fchmodat2, open("f", O_PATH), "", 0622, AT_EMPTY_PATH)), show_mode("f");
  SHOW(RAW(fchmodat2, AT_FDCWD, "f", 0611, 0x20000));
}

TEST(changing_owners) {
  put("f", ""), symlink("f", "l"), mkdir("d", 0755);
  SHOW(chown("f", 1, 2)), show_mode("f");
  SHOW(chown("f", -1, 5)), show_mode("f");
  SHOW(chown("f", 6, -1)), show_mode("f");
  SHOW(chown("f", -1, -1)), show_mode("f");
  SHOW(lchown("l", 8, 9)), show_mode("l");
  SHOW(chown("l", 10, 11)), show_mode("f");
  SHOW(fchown(open("f", O_RDONLY), 12, 13)), show_mode("f");
  SHOW(fchownat(AT_FDCWD, "l", 14, 15, AT_SYMLINK_NOFOLLOW)), show_mode("l");
  SHOW(fchownat(open("f", O_PATH), "", 16, 17, AT_EMPTY_PATH)), show_mode("f");
  SHOW(fchownat(AT_FDCWD, "f", 0, 0, 0x8000));
  SHOW(chown("missing", 0, 0));
  SHOW(fchown(99, 0, 0));
}

TEST(bits_that_fall) {
  put("f", "x");
  chmod("f", 06755), chown("f", 1, 1), show_mode("f");
  chmod("f", 06755), chown("f", -1, -1), show_mode("f");
  chmod("f", 02745), chown("f", 2, 2), show_mode("f"); // without group execution it means locking
  mkdir("d", 0755), chmod("d", 06755), chown("d", 1, 1), show_mode("d");
  chown("f", 1000, 1000), chmod("f", 06777);
  CHILD("user writes") { setgid(1000), setuid(1000); int fd = open("f", O_WRONLY); write(fd, "y", 1); show_mode("f"); }
  chmod("f", 06777);
  CHILD("user truncates") { setgid(1000), setuid(1000); truncate("f", 0); show_mode("f"); }
  chmod("f", 06777);
  CHILD("user chowns") { setgid(1000), setuid(1000); chown("f", -1, 1000); show_mode("f"); }
  chmod("f", 06777), truncate("f", 3), show_mode("f");
  int fd = open("f", O_WRONLY);
  write(fd, "z", 1), show_mode("f");
  chown("f", 1000, 50);
  CHILD("user outside the group") { setgid(1000), setuid(1000); SHOW(chmod("f", 02755)); show_mode("f"); }
}

TEST(as_a_user) {
  put("roots", ""), put("ours", ""), chown("ours", 1000, 1000);
  setgroups(2, (gid_t[]){1000, 77}), setgid(1000), setuid(1000);
  SHOW(chmod("roots", 0666));
  SHOW(chmod("ours", 0600));
  SHOW(chown("ours", 0, -1));
  SHOW(chown("ours", 1000, -1));
  SHOW(chown("ours", -1, 77));
  SHOW(chown("ours", -1, 78));
  SHOW(chown("roots", 1000, -1));
  SHOW(chown("roots", -1, -1));
  show_mode("ours");
  SHOW(chmod("ours", 01600)), show_mode("ours");
}
