// Propagation of mounts, mount_namespaces(7), "SHARED SUBTREES": who hears of what.
#include "guest.h"
#include <linux/sched.h>
#include <sys/mount.h>

static void be_alone(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mount("base", here, "tmpfs", 0, NULL);
  chdir(here);
}

static int tmpfs(const char *at) { return mount("t", at, "tmpfs", 0, NULL); }
static int bind(const char *from, const char *at) { return mount(from, at, NULL, MS_BIND, NULL); }
static int rbind(const char *from, const char *at) { return mount(from, at, NULL, MS_BIND | MS_REC, NULL); }
static int move(const char *from, const char *at) { return mount(from, at, NULL, MS_MOVE, NULL); }
static int make(const char *at, unsigned long how) { return mount(NULL, at, NULL, how, NULL); }

static void dirs(const char *first, ...) {
  va_list list;
  va_start(list, first);
  for (const char *name = first; name; name = va_arg(list, const char *)) mkdir(name, 0755);
  va_end(list);
}

// Numbers of groups are named in the order in which they are met.
static int groups[64], groups_count;
static int group(int id) {
  for (int i = 0; i < groups_count; i++) if (groups[i] == id) return 'A' + i;
  groups[groups_count] = id;
  return 'A' + groups_count++;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

// The mounts below here with their relations, sorted.
static void say_mounts(const char *title) {
  static char *lines[256];
  int count = 0;
  char line[1024], at[512], name[512];
  FILE *file = fopen("/proc/self/mountinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "%*d %*d %*s %*s %511s", at) != 1 || strncmp(at, here, strlen(here))) continue;
    char *rest = strstr(line, "rw"), *end = strstr(line, " - "), *fields;
    *end = 0;
    fields = rest ? strchr(rest, ' ') : NULL;
    snprintf(name, sizeof name, ".%s |%s", at + strlen(here), fields ? fields : "");
    lines[count++] = strdup(name);
  }
  if (file) fclose(file);
  qsort(lines, count, sizeof *lines, by_text);
  say("-- %s", title);
  for (int i = 0; i < count; i++) {
    char out[1024] = "";
    for (char *word = strtok(lines[i], " "); word; word = strtok(NULL, " ")) {
      char *colon = strchr(word, ':');
      if (colon) sprintf(out + strlen(out), " %.*s:%c", (int)(colon - word), word, group(atoi(colon + 1)));
      else sprintf(out + strlen(out), " %s", word);
    }
    say(" %s", out);
  }
}

TEST(kinds) {
  be_alone();
  dirs("a", "b", NULL);
  SHOW(make("a", MS_SHARED));
  SHOW(tmpfs("a"));
  SHOW(make("a", MS_SHARED));
  say_mounts("shared");
  SHOW(make("a", MS_SHARED));
  SHOW(bind("a", "b"));
  say_mounts("bound");
  SHOW(make("b", MS_SLAVE));
  say_mounts("slave");
  SHOW(make("b", MS_SHARED));
  say_mounts("shared slave");
  SHOW(make("a", MS_SLAVE));
  say_mounts("its master goes");
  SHOW(make("b", MS_UNBINDABLE));
  SHOW(bind("b", "a"));
  say_mounts("unbindable");
  SHOW(make("b", MS_SLAVE));
  say_mounts("unbindable, slave");
  SHOW(make("b", MS_PRIVATE));
  say_mounts("private");
  SHOW(make("b", MS_PRIVATE | MS_SHARED));
  SHOW(make("b", MS_PRIVATE | MS_SILENT));
  SHOW(make("b", MS_PRIVATE | MS_RDONLY));
  SHOW(make("none", MS_PRIVATE));
  put("file", "");
  SHOW(make("file", MS_PRIVATE));
}

TEST(recursion) {
  be_alone();
  dirs("a", NULL), tmpfs("a");
  dirs("a/b", "a/c", NULL), tmpfs("a/b"), tmpfs("a/c"), dirs("a/b/d", NULL), tmpfs("a/b/d");
  SHOW(make("a", MS_SHARED));
  say_mounts("one");
  SHOW(make("a", MS_SHARED | MS_REC));
  say_mounts("all");
  SHOW(make("a/b", MS_PRIVATE | MS_REC));
  say_mounts("a branch");
}

TEST(mounting) {
  be_alone();
  dirs("a", "b", "c", "d", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/x", "a/y", NULL);
  bind("a", "b"), bind("a", "c"), bind("a", "d");
  make("c", MS_SLAVE), make("d", MS_PRIVATE);
  SHOW(tmpfs("a/x"));
  put("a/x/file", "hello");
  say_mounts("on a peer");
  say_file("b/x/file"), say_file("c/x/file"), say_file("d/x/file");
  SHOW(tmpfs("c/y"));
  say_mounts("on a slave");
  SHOW(tmpfs("b/y"));
  say_mounts("below what a slave has");
  SHOW(umount("a/y"));
  say_mounts("off again");
  SHOW(umount("b/x"));
  say_mounts("by a peer");
}

TEST(slaves_of_slaves) {
  be_alone();
  dirs("a", "b", "c", "d", "e", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/x", NULL);
  bind("a", "b"), make("b", MS_SLAVE), make("b", MS_SHARED);
  bind("b", "c");
  bind("c", "d"), make("d", MS_SLAVE);
  bind("d", "e");
  SHOW(tmpfs("a/x"));
  say_mounts("from the top");
  SHOW(make("b", MS_PRIVATE));
  say_mounts("a peer in the middle is private");
  SHOW(make("c", MS_PRIVATE));
  say_mounts("the last one, too");
  SHOW(umount("a/x"));
  say_mounts("off");
}

TEST(parts) {
  be_alone();
  dirs("a", "b", "c", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/in", "a/in/x", "a/out", NULL);
  SHOW(bind("a/in", "b"));
  SHOW(tmpfs("a/out"));
  SHOW(tmpfs("a/in/x"));
  say_mounts("a part shows what it has");
  dirs("b/x/y", NULL);
  SHOW(tmpfs("b/x/y"));
  say_mounts("and gives");
  SHOW(umount2("a/in/x", MNT_DETACH));
  say_mounts("off");
}

TEST(binding) {
  be_alone();
  dirs("a", "b", "s", "p", "l", "u", NULL);
  tmpfs("a"), make("a", MS_SHARED), bind("a", "b");
  dirs("a/1", "a/2", "a/3", "a/4", NULL);
  tmpfs("s"), make("s", MS_SHARED);
  tmpfs("p");
  bind("s", "l"), make("l", MS_SLAVE);
  tmpfs("u"), make("u", MS_UNBINDABLE);
  SHOW(bind("s", "a/1"));
  SHOW(bind("p", "a/2"));
  SHOW(bind("l", "a/3"));
  SHOW(bind("u", "a/4"));
  say_mounts("on a shared one");
  dirs("p/1", "p/2", "p/3", NULL);
  SHOW(bind("s", "p/1"));
  SHOW(bind("l", "p/2"));
  SHOW(bind("u", "p/3"));
  say_mounts("on a private one");
}

TEST(binding_trees) {
  be_alone();
  dirs("a", "b", "to", NULL);
  tmpfs("a"), dirs("a/u", "a/v", NULL), tmpfs("a/u"), tmpfs("a/v"), dirs("a/u/w", NULL), tmpfs("a/u/w");
  make("a/u", MS_UNBINDABLE);
  SHOW(rbind("a", "b"));
  say_mounts("without what is unbindable");
  tmpfs("to"), make("to", MS_SHARED), dirs("to/x", "other", NULL), bind("to", "other");
  make("a/v", MS_SHARED);
  SHOW(rbind("a", "to/x"));
  say_mounts("onto a shared one");
  dirs("a/v/deep", NULL);
  SHOW(tmpfs("other/x/v/deep"));
  say_mounts("and further");
}

TEST(onto_itself) {
  be_alone();
  dirs("a", NULL), tmpfs("a"), dirs("a/in", NULL), make("a", MS_SHARED);
  SHOW(bind("a", "a/in"));
  say_mounts("a mount on itself");
  SHOW(rbind("a", "a/in"));
  say_mounts("again");
  SHOW(umount("a/in"));
  say_mounts("off");
  SHOW(umount2("a", MNT_DETACH));
  say_mounts("all");
}

TEST(moving) {
  be_alone();
  dirs("a", "b", "p", "q", NULL);
  tmpfs("a"), make("a", MS_SHARED), bind("a", "b");
  dirs("a/1", "a/2", NULL);
  tmpfs("p"), dirs("p/in", NULL), tmpfs("p/in");
  SHOW(tmpfs("a/1"));
  SHOW(move("a/1", "q"));
  SHOW(move("p", "a/2"));
  say_mounts("onto a shared one");
  SHOW(move("a", "q"));
  say_mounts("a shared one");
  tmpfs("p"), dirs("p/in", NULL), tmpfs("p/in"), make("p/in", MS_UNBINDABLE);
  SHOW(move("p", "b/1"));
  SHOW(move("p/in", "p"));
  dirs("q/inside", NULL);
  SHOW(move("q", "q/inside"));
  SHOW(move("q", "b/inside"));
  say_mounts("onto a peer");
}

TEST(in_use) {
  be_alone();
  dirs("a", "b", "c", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/x", NULL), bind("a", "b"), bind("a", "c"), make("c", MS_SLAVE);
  tmpfs("a/x"), dirs("a/x/y", NULL);
  int fd = open("c/x", O_RDONLY | O_DIRECTORY);
  SHOW(umount("a/x"));
  close(fd);
  make("c", MS_PRIVATE);
  SHOW(tmpfs("c/x/y"));
  SHOW(umount("a/x"));
  say_mounts("those that nothing hangs on");
  tmpfs("a/x"), dirs("a/x/y", NULL), make("b/x", MS_PRIVATE);
  SHOW(tmpfs("b/x/y"));
  SHOW(umount("a/x"));
  say_mounts("a peer's copy stays");
  SHOW(umount2("b/x", MNT_DETACH));
  SHOW(umount2("b", MNT_DETACH));
  say_mounts("detached");
  SHOW(umount("a"));
}

TEST(sliding) {
  be_alone();
  dirs("a", "b", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/x", NULL), bind("a", "b"), make("b", MS_SLAVE);
  SHOW(tmpfs("b/x"));
  put("b/x/file", "slave's");
  SHOW(tmpfs("a/x"));
  put("a/x/file", "master's");
  say_mounts("below");
  say_file("b/x/file");
  SHOW(umount("b/x"));
  say_file("b/x/file");
  SHOW(tmpfs("b/x"));
  put("b/x/file", "slave's");
  SHOW(umount("a/x"));
  say_mounts("taken from below");
  say_file("b/x/file");
}

static char step_[2];
static void tell(int pipe[2]) { write(pipe[1], "x", 1); }
static void hear(int pipe[2]) { read(pipe[0], step_, 1); }

// A shared tree, its slave, a private one; and two ways to take turns.
static void be_with_three_trees(int there[2], int back[2]) {
  be_alone();
  dirs("a", "p", "l", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/x", "a/y", NULL), tmpfs("p"), dirs("p/x", NULL);
  bind("a", "l"), make("l", MS_SLAVE);
  pipe(there), pipe(back);
}

TEST(name_spaces) {
  int there[2], back[2];
  be_with_three_trees(there, back);
  CHILD("child") {
    pid_t pid = fork();
    if (!pid) {
      unshare(CLONE_NEWNS);
      chdir(here);
      say_mounts("a copy");
      tell(back), hear(there);
      say_mounts("what was mounted outside");
      SHOW(tmpfs("a/y"));
      SHOW(umount("a/x"));
      SHOW(tmpfs("p/x"));
      tell(back), hear(there);
      _exit(0);
    }
    hear(back);
    SHOW(tmpfs("a/x"));
    tell(there), hear(back);
    say_mounts("what was mounted inside");
    tell(there);
    wait_and_say("inner", pid);
    say_mounts("when it has ended");
  }
}

TEST(of_other_users) {
  int there[2], back[2];
  be_with_three_trees(there, back);
  CHILD("child") {
    pid_t pid = fork();
    if (!pid) {
      SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNS));
      chdir(here);
      tell(back), hear(there);
      say_mounts("slaves, and what was mounted outside");
      SHOW(mount(NULL, "a/x", NULL, MS_REMOUNT | MS_BIND, NULL));
      SHOW(umount("a/x"));
      SHOW(make("a", MS_SHARED));
      SHOW(tmpfs("a/y"));
      say_mounts("inside");
      tell(back), hear(there);
      _exit(0);
    }
    hear(back);
    SHOW(mount("t", "a/x", "tmpfs", MS_NOSUID | MS_NODEV, NULL));
    tell(there), hear(back);
    say_mounts("nothing comes back");
    tell(there);
    wait_and_say("inner", pid);
  }
}

TEST(dominated) {
  be_alone();
  dirs("a", NULL);
  tmpfs("a"), make("a", MS_SHARED), dirs("a/root", "a/root/proc", "a/root/m", "b", NULL);
  // A slave of a slave whose master is not seen below a root.
  bind("a/root", "b"), make("b", MS_SLAVE), make("b", MS_SHARED);
  SHOW(bind("b/m", "a/root/m"));
  SHOW(make("a/root/m", MS_SLAVE));
  SHOW(mount("proc", "a/root/proc", "proc", 0, NULL));
  say_mounts("outside");
  CHILD("inside") {
    SHOW(rbind("a/root", "a/root"));
    SHOW(chroot("a/root"));
    chdir("/");
    strcpy(here, "/");
    say_mounts("inside");
  }
}

TEST(changing_the_root) {
  be_alone();
  dirs("new", "shared", NULL);
  tmpfs("shared"), make("shared", MS_SHARED), dirs("shared/new", NULL), tmpfs("shared/new"), dirs("shared/new/old", NULL);
  SHOW(RAW(pivot_root, "shared/new", "shared/new/old"));
  tmpfs("new"), dirs("new/old", NULL), make("new", MS_SHARED);
  SHOW(RAW(pivot_root, "new", "new/old"));
  make("new", MS_PRIVATE);
  SHOW(make("/", MS_SHARED));
  SHOW(make("/", MS_PRIVATE));
  SHOW(RAW(pivot_root, "new", "new/old"));
}

TEST(rights) {
  be_alone();
  CHILD("user") {
    setresuid(1000, 1000, 1000);
    SHOW(make("/", MS_SHARED));
    SHOW(make("/none", MS_SHARED));
  }
}
