// Mounts by descriptor and by number: open_tree(2), move_mount(2), mount_setattr(2),
// statmount(2), listmount(2).
#include "guest.h"
#include <sys/mount.h>

enum { OPEN_TREE = 428, MOVE_MOUNT = 429, MOUNT_SETATTR = 442, STATMOUNT = 457, LISTMOUNT = 458 };
enum { RECURSIVE = 0x8000, NO_FOLLOW = 0x100 };

struct attr { uint64_t set, clear, propagation, userns_fd; };
struct request { uint32_t size, spare; uint64_t id, param, ns; };
struct answer {
  uint32_t size, mnt_opts;
  uint64_t mask;
  uint32_t sb_dev_major, sb_dev_minor;
  uint64_t sb_magic;
  uint32_t sb_flags, fs_type;
  uint64_t mnt_id, mnt_parent_id;
  uint32_t mnt_id_old, mnt_parent_id_old;
  uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
  uint32_t mnt_root, mnt_point;
  uint64_t mnt_ns_id;
  char rest[512 - 120];
  char text[4096];
};

static int tree(int dir, const char *path, unsigned flags) { return syscall(OPEN_TREE, dir, path, flags); }
static int move(int from, const char *a, int to, const char *b, unsigned flags) {
  return syscall(MOVE_MOUNT, from, a, to, b, flags);
}
static int setattr(const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation) {
  struct attr attr = {set, clear, propagation, 0};
  return syscall(MOUNT_SETATTR, AT_FDCWD, path, flags, &attr, sizeof attr);
}

static void be_alone(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mount("base", here, "tmpfs", 0, NULL);
  chdir(here);
}

static int tmpfs(const char *at) { mkdir(at, 0755); return mount("t", at, "tmpfs", 0, NULL); }

// The mounts below here with their options, sorted by place.
static void say_mounts(const char *title) {
  char line[1024], at[512], options[512], *lines[64];
  int count = 0;
  FILE *file = fopen("/proc/self/mountinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    char *shared = strstr(line, " shared:") ? " shared" : strstr(line, " master:") ? " slave" : "";
    if (sscanf(line, "%*d %*d %*s %*s %511s %511s", at, options) != 2 || strncmp(at, here, strlen(here))) continue;
    asprintf(&lines[count++], ".%s %s%s", at + strlen(here), options, shared);
  }
  fclose(file);
  say("-- %s", title);
  for (int done = 0; done < count; done++) {
    int least = -1;
    for (int i = 0; i < count; i++) if (lines[i] && (least < 0 || strcmp(lines[i], lines[least]) < 0)) least = i;
    say("  %s", lines[least]);
    lines[least] = NULL;
  }
}

TEST(trees) {
  be_alone();
  tmpfs("a"), tmpfs("a/b"), mkdir("to", 0755), put("a/file", "seen"), put("a/b/inner", "too");
  SHOW(tree(AT_FDCWD, "a", RECURSIVE));
  SHOW(tree(AT_FDCWD, "a", 2));
  SHOW(tree(AT_FDCWD, "none", 1));
  SHOW(tree(99, "a", 1));
  SHOW(tree(AT_FDCWD, "", 1));
  SHOW(tree(AT_FDCWD, (char *)8, 1));
  int path = OKAY(tree(AT_FDCWD, "a", O_CLOEXEC));
  IS(fcntl(path, F_GETFD) == FD_CLOEXEC);
  IS((fcntl(path, F_GETFL) & O_PATH) != 0);
  int one = OKAY(tree(AT_FDCWD, "a", 1));
  int all = OKAY(tree(AT_FDCWD, "a", 1 | RECURSIVE));
  IS(fcntl(one, F_GETFD) == 0);
  SHOW(faccessat(one, "file", F_OK, 0));
  SHOW(faccessat(one, "b/inner", F_OK, 0));
  SHOW(faccessat(all, "b/inner", F_OK, 0));
  say_mounts("detached");
  SHOW(move(all, "", AT_FDCWD, "to", 0));
  SHOW(move(all, "", AT_FDCWD, "none", 4));
  SHOW(move(all, "", AT_FDCWD, "a/file", 4));
  SHOW(move(all, "", AT_FDCWD, "to", 0x1000 | 4));
  SHOW(move(all, "", AT_FDCWD, "to", 4));
  say_mounts("moved");
  SHOW(umount("to"));
  SHOW(move(all, "b", AT_FDCWD, "a/b", 0));
  SHOW(move(all, "", AT_FDCWD, "a", 4));
  close(all);
  say_mounts("again");
  SHOW(umount("a"));
  SHOW(umount2("a", MNT_DETACH));
  close(one);
  SHOW(umount("a/b"));
  SHOW(umount("a"));
  CHILD("user") {
    setresuid(1000, 1000, 1000);
    SHOW(tree(AT_FDCWD, "to", 1));
    SHOW(tree(AT_FDCWD, "none", 1));
    OKAY(tree(AT_FDCWD, "to", 0));
    SHOW(move(path, "", AT_FDCWD, "to", 4));
    SHOW(move(path, "", AT_FDCWD, "to", 0x1000));
  }
}

TEST(propagated) {
  be_alone();
  tmpfs("a"), mount(NULL, "a", NULL, MS_SHARED, NULL), mkdir("b", 0755), mount("a", "b", NULL, MS_BIND, NULL);
  mkdir("a/x", 0755), mkdir("a/y", 0755), tmpfs("t"), mkdir("t/z", 0755);
  int fd = tree(AT_FDCWD, "t", 1);
  SHOW(move(fd, "", AT_FDCWD, "b/x", 4));
  say_mounts("moved");
  SHOW(move(AT_FDCWD, "b/x", AT_FDCWD, "t/z", 0));
  SHOW(move(AT_FDCWD, "t", AT_FDCWD, "a/y", 0));
  say_mounts("a path");
}

TEST(groups) {
  be_alone();
  tmpfs("a"), mkdir("a/x", 0755), mkdir("b", 0755), tmpfs("c");
  mount("a", "b", NULL, MS_BIND, NULL);
  SHOW(move(AT_FDCWD, "a", AT_FDCWD, "b", 0x100));
  mount(NULL, "a", NULL, MS_SHARED, NULL);
  SHOW(move(AT_FDCWD, "a", AT_FDCWD, "c", 0x100));
  SHOW(move(AT_FDCWD, "a", AT_FDCWD, "b", 0x100));
  SHOW(move(AT_FDCWD, "a", AT_FDCWD, "b", 0x100));
  SHOW(move(AT_FDCWD, "a", AT_FDCWD, "b", 0x300));
  tmpfs("a/x");
  say_mounts("one group");
}

TEST(attributes) {
  be_alone();
  tmpfs("a"), tmpfs("a/b"), mkdir("dir", 0755);
  SHOW(setattr("a", 0, 1 | 2 | 4 | 8, 0, 0));
  say_mounts("set");
  SHOW(mkdir("a/new", 0755));
  SHOW(setattr("a", RECURSIVE, 0x80 | 0x200000, 1 | 8, 0));
  say_mounts("changed");
  SHOW(setattr("a", 0, 0x10, 0x70, 0));
  SHOW(setattr("a/b", 0, 0x20, 0x70, 0));
  say_mounts("times");
  SHOW(setattr("a", 0, 0x10, 0x10, 0));
  SHOW(setattr("a", 0, 0x10, 0, 0));
  SHOW(setattr("a", 0, 0x30, 0x70, 0));
  SHOW(setattr("a", 0, 0x40, 0, 0));
  SHOW(setattr("a", 0, 0, 0, 0));
  SHOW(setattr("none", 0, 0, 0, 0));
  SHOW(setattr("none", 0, 1, 0, 0));
  SHOW(setattr("dir", 0, 1, 0, 0));
  SHOW(setattr("a", 2, 1, 0, 0));
  SHOW(setattr("a", RECURSIVE, 0, 0, MS_SHARED));
  SHOW(setattr("a/b", 0, 0, 0, MS_SLAVE));
  SHOW(setattr("a", 0, 0, 0, MS_SHARED | MS_SLAVE));
  SHOW(setattr("a", 0, 0, 0, 7));
  say_mounts("propagation");
  struct { struct attr attr; uint64_t more; } large = {.attr.set = 1};
  SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a", 0, &large, sizeof large));
  large.more = 1;
  SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a", 0, &large, sizeof large));
  SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a", 0, &large, 31));
  SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a", 0, &large, 5000));
  SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a", 0, NULL, 32));
  int fd = tree(AT_FDCWD, "a", 1);
  struct attr attr = {.set = 2};
  SHOW(syscall(MOUNT_SETATTR, fd, "", AT_EMPTY_PATH, &attr, sizeof attr));
  CHILD("user") {
    setresuid(1000, 1000, 1000);
    SHOW(setattr("a", 0, 1, 0, 0));
    SHOW(setattr("a", 2, 1, 0, 0));
  }
}

static uint64_t id_of(const char *path) {
  struct statx st;
  return statx(AT_FDCWD, path, 0, 0x4000, &st) ? 0 : st.stx_mnt_id;
}

static long statmount_(uint64_t id, uint64_t mask, struct answer *answer, size_t size) {
  struct request request = {.size = 24, .id = id, .param = mask};
  return syscall(STATMOUNT, &request, answer, size, 0);
}

static void say_mount(const char *path) {
  static struct answer it;
  long result = statmount_(id_of(path), 0x7f, &it, sizeof it);
  if (result) {
    say("%s: %s", path, error_name(errno));
    return;
  }
  say("%s: %s root %s at %s", path, it.text + it.fs_type, it.text + it.mnt_root, it.text + it.mnt_point);
  say("  mask %lx magic %lx attributes %lx propagation %lx", it.mask, it.sb_magic, it.mnt_attr, it.mnt_propagation);
  say("  group %s master %s from %s", it.mnt_peer_group ? "yes" : "no", it.mnt_master ? "yes" : "no", it.propagate_from ? "yes" : "no");
  struct stat st;
  stat(path, &st);
  IS(it.mnt_id == id_of(path) && it.mnt_id_old < it.mnt_id && it.mnt_parent_id != it.mnt_id);
  IS(it.sb_dev_major == st.st_dev >> 8 && it.sb_dev_minor == (st.st_dev & 255));
}

TEST(statmount) {
  be_alone();
  tmpfs("a"), mkdir("a/sub", 0755), mkdir("b", 0755), mkdir("c", 0755);
  mount(NULL, "a", NULL, MS_SHARED, NULL), mount("a/sub", "b", NULL, MS_BIND, NULL);
  mount("a", "c", NULL, MS_BIND, NULL), mount(NULL, "c", NULL, MS_SLAVE, NULL);
  mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL);
  char root[300];
  snprintf(root, sizeof root, "%s", here);
  CHILD("below a root") {
    chroot(root), chdir("/");
    say_mount("a"), say_mount("b"), say_mount("c");
  }
  static struct answer it;
  uint64_t id = id_of("a");
  SHOW(statmount_(0, 1, &it, sizeof it));
  SHOW(statmount_(id + 1000000, 1, &it, sizeof it));
  SHOW(statmount_(id, 8, &it, 512));
  SHOW(statmount_(id, 3, &it, 100));
  SHOW(statmount_(id, 3, (struct answer *)8, sizeof it));
  struct request request = {.size = 24, .id = id, .param = 1};
  SHOW(syscall(STATMOUNT, &request, &it, sizeof it, 0x100));
  SHOW(syscall(STATMOUNT, NULL, &it, sizeof it, 0));
  request.size = 8;
  SHOW(syscall(STATMOUNT, &request, &it, sizeof it, 0));
  request.size = 5000;
  SHOW(syscall(STATMOUNT, &request, &it, sizeof it, 0));
  request.size = 24, request.spare = 1;
  SHOW(syscall(STATMOUNT, &request, &it, sizeof it, 0));
}

static long listmount_(uint64_t id, uint64_t last, uint64_t *ids, size_t count, unsigned flags) {
  struct request request = {.size = 24, .id = id, .param = last};
  return syscall(LISTMOUNT, &request, ids, count, flags);
}

TEST(listmount) {
  be_alone();
  tmpfs("a"), tmpfs("a/b"), tmpfs("a/c"), tmpfs("a/b/d"), tmpfs("e");
  uint64_t ids[64] = {0};
  SHOW(listmount_(id_of("a"), 0, ids, 64, 0));
  IS(ids[0] == id_of("a/b") && ids[1] == id_of("a/c") && ids[2] == id_of("a/b/d"));
  SHOW(listmount_(id_of("a"), 0, ids, 2, 0));
  SHOW(listmount_(id_of("a"), ids[1], ids, 2, 0));
  IS(ids[0] == id_of("a/b/d"));
  SHOW(listmount_(id_of("a"), 0, ids, 64, 1));
  IS(ids[0] == id_of("a/b/d") && ids[2] == id_of("a/b"));
  SHOW(listmount_(id_of("e"), 0, ids, 64, 0));
  SHOW(listmount_(-1, 0, ids, 64, 0) > 5);
  SHOW(listmount_(0, 0, ids, 64, 0));
  SHOW(listmount_(id_of("a"), 7, ids, 64, 0));
  SHOW(listmount_(id_of("a") + 1000000, 0, ids, 64, 0));
  SHOW(listmount_(id_of("a"), 0, ids, 64, 2));
  SHOW(listmount_(id_of("a"), 0, ids, 1000001, 0));
  SHOW(listmount_(id_of("a"), 0, NULL, 64, 0));
}
