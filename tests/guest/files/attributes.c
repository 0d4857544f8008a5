// xattr(7): names and values beside a file's data.
#include "guest.h"
#include <sys/xattr.h>

TEST(user_attributes) {
  put("f", ""), mkdir("d", 0755), symlink("f", "l");
  char b[64] = "";
  SHOW(setxattr("f", "user.a", "one", 3, 0));
  SHOW(getxattr("f", "user.a", b, sizeof b));
  say("%s", b);
  SHOW(setxattr("f", "user.a", "four", 4, XATTR_CREATE));
  SHOW(setxattr("f", "user.b", "two", 3, XATTR_REPLACE));
  SHOW(setxattr("f", "user.a", "three", 5, XATTR_REPLACE));
  SHOW(setxattr("f", "user.empty", "", 0, XATTR_CREATE));
  SHOW(getxattr("f", "user.empty", b, sizeof b));
  SHOW(getxattr("f", "user.a", NULL, 0));
  SHOW(getxattr("f", "user.a", b, 2));
  SHOW(getxattr("f", "user.missing", b, sizeof b));
  SHOW(getxattr("f", "nonsense", b, sizeof b));
  SHOW(setxattr("f", "nonsense", b, 1, 0));
  SHOW(setxattr("f", "user.a", b, 1, 99));
  SHOW(setxattr("f", "", b, 1, 0));
  SHOW(setxattr("missing", "user.a", b, 1, 0));
  SHOW(setxattr("d", "user.d", "v", 1, 0));
  SHOW(lsetxattr("l", "user.l", "v", 1, 0));
  SHOW(setxattr("l", "user.l", "v", 1, 0));
  SHOW(lgetxattr("l", "user.l", b, sizeof b));
  SHOW(getxattr("f", "user.l", b, sizeof b));
  SHOW(fgetxattr(open("f", O_RDONLY), "user.a", b, sizeof b));
  SHOW(fgetxattr(open("f", O_PATH), "user.a", b, sizeof b));
  SHOW(removexattr("f", "user.a"));
  SHOW(removexattr("f", "user.a"));
  SHOW(getxattr("f", "user.a", b, sizeof b));
  char name[300] = "user.";
  memset(name + 5, 'n', 260);
  SHOW(setxattr("f", name, "v", 1, 0));
  name[255] = 0;
  SHOW(setxattr("f", name, "v", 1, 0));
}

TEST(listing) {
  put("f", "");
  setxattr("f", "user.one", "1", 1, 0), setxattr("f", "user.two", "2", 1, 0);
  char b[200];
  ssize_t n = SHOW(listxattr("f", NULL, 0));
  SHOW(listxattr("f", b, 5));
  n = SHOW(listxattr("f", b, sizeof b));
  int found = 0;
  for (char *p = b; p < b + n; p += strlen(p) + 1) found += !strncmp(p, "user.", 5);
  say("%d of user", found);
  SHOW(flistxattr(99, b, 5));
  SHOW(listxattr("missing", b, 5));
  put("g", "");
  SHOW(listxattr("g", b, sizeof b));
}

TEST(permissions) {
  put("f", ""), chmod("f", 0644), mkfifo("p", 0666);
  SHOW(setxattr("p", "user.a", "x", 1, 0));
  SHOW(setxattr("f", "trusted.a", "x", 1, 0));
  setxattr("f", "user.a", "x", 1, 0);
  setgid(1000), setuid(1000);
  char b[8];
  SHOW(setxattr("f", "user.b", "x", 1, 0));
  SHOW(getxattr("f", "user.a", b, 8));
  SHOW(removexattr("f", "user.a"));
  SHOW(getxattr("f", "trusted.a", b, 8));
}

TEST(names_and_modes) {
  put("f", "");
  SHOW(setxattr("f", "user.", "x", 1, 0));
  SHOW(setxattr("f", "system.x", "x", 1, 0));
  SHOW(setxattr("f", "user.a", "x", 1, XATTR_CREATE | XATTR_REPLACE));
  SHOW(setxattr("f", "user.a", "x", 1, 0));
  SHOW(setxattr("f", "user.a", "x", 1, XATTR_CREATE | XATTR_REPLACE));
}
