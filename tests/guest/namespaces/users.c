// User name spaces, user_namespaces(7): maps of ids, what capabilities are good for, who owns
// what, and mounts that whoever is root inside may not undo.
#include "guest.h"
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

enum { USER = 1000, OTHER = 1001, OVERFLOW = 65534 };

// Writes to a file at once; shows how that went.
static long put_once(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  long n = write(fd, text, strlen(text));
  int error = errno;
  close(fd);
  errno = error;
  return n;
}
#define WRITE(path, text) SHOW(put_once(path, text))

// Becomes a user without any right. Files of /proc stay its own.
static void become(uid_t id) {
  setgroups(0, NULL);
  setresgid(id, id, id);
  setresuid(id, id, id);
  prctl(PR_SET_DUMPABLE, 1);
}

static uint64_t effective(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {0};
  RAW(capget, &head, data);
  return data[0].effective | (uint64_t)data[1].effective << 32;
}

// What /proc/PID/status says of ids and capabilities.
static void say_ids(const char *path) {
  char line[256];
  FILE *file = fopen(path, "r");
  if (!file) {
    say("%s: %s", path, error_name(errno));
    return;
  }
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "Uid", 3) || !strncmp(line, "Gid", 3) || !strncmp(line, "Groups", 6)) say("%s", line);
  }
  fclose(file);
}

static void say_owner(const char *path) {
  struct stat st;
  const char *name = strrchr(path, '/');
  name = name && name[1] ? name + 1 : path;
  if (lstat(path, &st)) say("%s: %s", name, error_name(errno));
  else say("%s belongs to %u:%u", name, st.st_uid, st.st_gid);
}

// A name space in which the caller is root.
static void be_root(unsigned flags) {
  uid_t uid = getuid();
  gid_t gid = getgid();
  char map[64];
  if (unshare(CLONE_NEWUSER | flags)) say("unshare: %s", error_name(errno));
  snprintf(map, sizeof map, "0 %u 1", uid);
  if (put_once("/proc/self/uid_map", map) < 0) say("uid_map: %s", error_name(errno));
  if (put_once("/proc/self/setgroups", "deny") < 0) say("setgroups: %s", error_name(errno));
  snprintf(map, sizeof map, "0 %u 1", gid);
  if (put_once("/proc/self/gid_map", map) < 0) say("gid_map: %s", error_name(errno));
}

// A child in name spaces of its own that stays until it is dismissed.
static pid_t resident(uint64_t flags, int end[2]) {
  int ready[2];
  pipe(ready), pipe(end);
  struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
  pid_t pid = RAW(clone3, &args, sizeof args);
  if (!pid) {
    close(end[1]);
    write(ready[1], "x", 1);
    char byte;
    read(end[0], &byte, 1);
    _exit(0);
  }
  char byte;
  if (pid > 0) read(ready[0], &byte, 1);
  return pid;
}

static void dismiss(pid_t pid, int end[2]) {
  close(end[0]), close(end[1]);
  wait_and_say("resident", pid);
}

static const char *of(pid_t pid, const char *name) {
  static char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return path;
}

TEST(before_there_is_a_map) {
  CHILD("user") {
    become(USER);
    SHOW(unshare(CLONE_NEWUSER));
    SHOW(getuid());
    SHOW(getegid());
    IS(effective() == 0x1ffffffffff);
    say_ids("/proc/self/status");
    say_file("/proc/self/uid_map");
    say_file("/proc/self/gid_map");
    say_file("/proc/self/setgroups");
    say_owner("/");
    say_owner("/proc/self/status");
    SHOW(setuid(0));
    SHOW(setuid(USER));
    SHOW(setgroups(0, NULL));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_GET_SECUREBITS));
    // New files belong to whom they belonged before.
    mode_t old = umask(0);
    SHOW(chdir("/tmp"));
    int fd = SHOW(open("/tmp", O_TMPFILE | O_RDWR, 0600)) < 0 ? -1 : 0;
    (void)fd, umask(old);
  }
}

TEST(maps) {
  CHILD("user") {
    become(USER);
    SHOW(unshare(CLONE_NEWUSER));
    WRITE("/proc/self/uid_map", "nonsense");
    WRITE("/proc/self/uid_map", "0 1000");
    WRITE("/proc/self/uid_map", "0 1000 0");
    WRITE("/proc/self/uid_map", "0 1000 1 1");
    WRITE("/proc/self/uid_map", "0 0 1");
    WRITE("/proc/self/uid_map", "0 1000 2");
    WRITE("/proc/self/uid_map", "0 1000 1\n1 1001 1\n");
    WRITE("/proc/self/uid_map", "4294967295 1000 1");
    WRITE("/proc/self/gid_map", "0 1000 1");
    WRITE("/proc/self/uid_map", "7 1000 1\n");
    WRITE("/proc/self/uid_map", "7 1000 1\n");
    SHOW(getuid());
    SHOW(getgid());
    WRITE("/proc/self/setgroups", "perhaps");
    WRITE("/proc/self/setgroups", "allow");
    WRITE("/proc/self/setgroups", "deny\n");
    WRITE("/proc/self/setgroups", "allow");
    WRITE("/proc/self/gid_map", "8 1000 1");
    WRITE("/proc/self/setgroups", "deny");
    say_file("/proc/self/uid_map");
    say_file("/proc/self/gid_map");
    say_file("/proc/self/setgroups");
    say_ids("/proc/self/status");
    SHOW(getgid());
    SHOW(setgroups(0, NULL));
    SHOW(setresuid(7, 7, 7));
    SHOW(setresuid(0, -1, -1));
    SHOW(setresuid(USER, -1, -1));
    SHOW(setregid(8, 8));
    SHOW(setfsuid(3));
    SHOW(setfsuid(7));
    WRITE("/proc/self/projid_map", "0 0 1");
  }
  // With the capabilities of who maps.
  CHILD("root") {
    int end[2];
    pid_t pid = resident(CLONE_NEWUSER, end);
    SHOW(put_once(of(pid, "uid_map"), "0 100000 1000\n1000 1000 1\n2000 300000 10\n"));
    SHOW(put_once(of(pid, "gid_map"), "0 100000 65536"));
    say_file(of(1, "setgroups"));
    char text[200] = "";
    int fd = open(of(pid, "uid_map"), O_RDONLY);
    read(fd, text, sizeof text - 1), close(fd);
    say("%s", text);
    fd = open(of(pid, "ns/user"), O_RDONLY);
    SHOW(setns(fd, CLONE_NEWUSER));
    SHOW(setns(fd, CLONE_NEWUSER));
    SHOW(getuid());
    SHOW(setresgid(5, 5, 5));
    gid_t groups[] = {1, 2, 65535};
    SHOW(setgroups(3, groups));
    gid_t bad[] = {65536};
    SHOW(setgroups(1, bad));
    SHOW(getgroups(3, groups));
    SHOW(setresuid(1000, 1000, 1000));
    SHOW(setresuid(999, 999, 999));
    say_ids("/proc/self/status");
    close(fd);
    dismiss(pid, end);
  }
}

TEST(ids_from_inside_and_outside) {
  put("ours", "x"), chown("ours", USER, USER);
  put("theirs", "x"), chown("theirs", OTHER, USER);
  put("both", "x"), chown("both", USER, OTHER);
  chmod(".", 0777);
  CHILD("user") {
    become(USER);
    be_root(0);
    SHOW(getuid());
    say_owner("ours"), say_owner("theirs"), say_owner("both");
    put("new", "x");
    say_owner("new");
    SHOW(chown("ours", 0, 0));
    SHOW(chown("ours", 1, -1));
    SHOW(chown("ours", -1, USER));
    SHOW(chown("theirs", 0, 0));
    SHOW(chmod("ours", 04755));
    SHOW(chmod("theirs", 0777));
    SHOW(chmod("both", 0700));
    SHOW(open("theirs", O_RDWR));
    SHOW(mkdir("dir", 0));
    SHOW(open("dir/file", O_CREAT | O_RDWR, 0));
    SHOW(mknod("pipe", S_IFIFO | 0600, 0));
    SHOW(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
    SHOW(rename("ours", "renamed"));
    SHOW(unlink("theirs"));
  }
  say_owner("new"), say_owner("dir"), say_owner("pipe"), say_owner("renamed");
}

TEST(what_capabilities_are_good_for) {
  CHILD("user") {
    become(USER);
    be_root(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
    SHOW(sethostname("inside", 6));
    SHOW(socket(AF_INET, SOCK_RAW, 1) > 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit), limit.rlim_max++;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    SHOW(RAW(syslog, 5, 0, 0));
    SHOW(RAW(reboot, 1, 2, 3, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, -1));
    SHOW(RAW(ioprio_set, 1, 0, 1 << 13));
    SHOW(chroot("."));
    SHOW(unshare(CLONE_NEWUSER));
  }
  CHILD("user") {
    become(USER);
    be_root(0);
    SHOW(sethostname("inside", 6));
    SHOW(socket(AF_INET, SOCK_RAW, 1));
    SHOW(mount("none", "/proc", "tmpfs", 0, NULL));
    SHOW(umount("/proc"));
    SHOW(kill(1, 0));
    SHOW(setsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, SO_SNDBUFFORCE, &(int){99}, 4));
    SHOW(unshare(CLONE_NEWUTS));
    SHOW(sethostname("inside", 6));
  }
  CHILD("another") {
    become(OTHER);
    int end[2];
    pid_t pid = resident(CLONE_NEWUSER, end);
    CHILD("user") {
      become(USER);
      int fd = open(of(pid, "ns/user"), O_RDONLY);
      SHOW(fd);
      SHOW(kill(pid, 0));
      WRITE(of(pid, "uid_map"), "0 1000 1");
    }
    dismiss(pid, end);
  }
}

TEST(nested) {
  CHILD("user") {
    become(USER);
    be_root(0);
    int end[2];
    pid_t pid = resident(CLONE_NEWUSER, end);
    WRITE(of(pid, "uid_map"), "5 0 1");
    say_file(of(1, "uid_map"));
    CHILD("inside") {
      int fd = open(of(pid, "ns/user"), O_RDONLY);
      SHOW(setns(fd, 0));
      SHOW(getuid());
      SHOW(getgid());
      say_file("/proc/self/uid_map");
      int parent = ioctl(fd, NS_GET_PARENT), owner = ioctl(fd, NS_GET_USERNS);
      IS(parent < 0), SHOW(ioctl(fd, NS_GET_PARENT));
      IS(owner < 0);
      uid_t uid = 77;
      SHOW(ioctl(fd, NS_GET_OWNER_UID, &uid));
      SHOW(uid);
    }
    int fd = open(of(pid, "ns/user"), O_RDONLY), own = open("/proc/self/ns/user", O_RDONLY);
    uid_t uid = 77;
    SHOW(ioctl(fd, NS_GET_OWNER_UID, &uid));
    SHOW(uid);
    struct stat a, b;
    int parent = ioctl(fd, NS_GET_PARENT), owner = ioctl(fd, NS_GET_USERNS);
    fstat(own, &a), fstat(parent, &b);
    IS(a.st_ino == b.st_ino);
    fstat(owner, &b);
    IS(a.st_ino == b.st_ino);
    SHOW(ioctl(own, NS_GET_PARENT));
    SHOW(ioctl(own, NS_GET_USERNS));
    SHOW(ioctl(fd, NS_GET_NSTYPE));
    SHOW(setns(own, CLONE_NEWUSER));
    CHILD("leaves") {
      // Nobody comes back.
      SHOW(setns(fd, 0));
      SHOW(setns(own, 0));
    }
    close(fd);
    dismiss(pid, end);
  }
  CHILD("user") {
    become(USER);
    int depth = 0;
    while (depth < 60 && !unshare(CLONE_NEWUSER)) {
      depth++;
      char map[32];
      snprintf(map, sizeof map, "0 %d 1", depth == 1 ? USER : 0);
      put_once("/proc/self/uid_map", map);
      put_once("/proc/self/setgroups", "deny");
      put_once("/proc/self/gid_map", map);
    }
    say("%d deep: %s", depth, error_name(errno));
  }
}

TEST(threads_and_roots) {
  CHILD("user") {
    become(USER);
    pthread_t thread;
    pthread_create(&thread, NULL, (void *(*)(void *))pause, NULL);
    SHOW(unshare(CLONE_NEWUSER));
    struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_FS, .exit_signal = SIGCHLD};
    SHOW(RAW(clone3, &args, sizeof args));
    args = (struct clone_args){.flags = CLONE_NEWUSER | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD};
    SHOW(RAW(clone3, &args, sizeof args));
  }
  CHILD("below a root") {
    chroot("/tmp"), chdir("/");
    SHOW(unshare(CLONE_NEWUSER));
  }
  CHILD("user") {
    become(USER);
    SHOW(unshare(CLONE_NEWNS));
    SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP));
    CHILD("first") SHOW(getpid());
  }
}

TEST(mounts) {
  mkdir("/tmp/users-outer", 0755);
  mount("outer", "/tmp/users-outer", "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, NULL);
  CHILD("user") {
    become(USER);
    be_root(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP);
    CHILD("inside") {
      SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
      SHOW(umount("/tmp/users-outer"));
      SHOW(mount(NULL, "/tmp/users-outer", NULL, MS_REMOUNT | MS_BIND, NULL));
      SHOW(mount(NULL, "/tmp/users-outer", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
      SHOW(mount(NULL, "/tmp/users-outer", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
      SHOW(mount(NULL, "/tmp/users-outer", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
      SHOW(mount("t", "/mnt", "tmpfs", 0, "size=1m,mode=700"));
      say_owner("/mnt");
      mkdir("/mnt/a", 0755), mkdir("/mnt/b", 0755), put("/mnt/a/file", "x");
      SHOW(mount("t", "/mnt/b", "tmpfs", 0, "uid=1000"));
      SHOW(mount("/mnt/a", "/mnt/b", NULL, MS_BIND, NULL));
      say_owner("/mnt/b/file");
      SHOW(umount("/mnt/b"));
      SHOW(mount("/tmp/users-outer", "/mnt/b", NULL, MS_BIND, NULL));
      SHOW(mount(NULL, "/mnt/b", NULL, MS_REMOUNT | MS_BIND, NULL));
      SHOW(mount("/tmp", "/mnt/a", NULL, MS_BIND, NULL));
      SHOW(mount("/tmp", "/mnt/a", NULL, MS_BIND | MS_REC, NULL));
      SHOW(umount("/mnt/a/users-outer"));
      SHOW(umount2("/mnt/a", MNT_DETACH));
      SHOW(umount("/mnt/b"));
      SHOW(mknod("/mnt/null", S_IFCHR | 0666, makedev(1, 3)));
      SHOW(mount("/tmp/users-outer", "/mnt/a", NULL, MS_MOVE, NULL));
      SHOW(mount("d", "/mnt/a", "devtmpfs", 0, NULL));
      SHOW(mount("d", "/mnt/a", "devpts", 0, "newinstance"));
      say_owner("/mnt/a/ptmx");
      SHOW(mount("q", "/mnt/b", "mqueue", 0, NULL));
      SHOW(mount("c", "/mnt/b", "cgroup2", 0, NULL));
      SHOW(mount("none", "/mnt/a", "nonsense", 0, NULL));
      CHILD("chroot") {
        mkdir("/mnt/old", 0755);
        SHOW(chdir("/mnt"));
        SHOW(RAW(pivot_root, ".", "old"));
        SHOW(umount2("/old", MNT_DETACH));
        say_dir("/");
      }
    }
  }
  umount("/tmp/users-outer"), rmdir("/tmp/users-outer");
}

TEST(processes) {
  CHILD("user") {
    become(USER);
    int end[2];
    pid_t pid = resident(CLONE_NEWUSER, end);
    WRITE(of(pid, "uid_map"), "0 1000 1");
    // Its maker may do everything with it, and it nothing with its maker.
    int fd = SHOW(open(of(pid, "ns/user"), O_RDONLY)) < 0 ? -1 : open(of(pid, "ns/user"), O_RDONLY);
    SHOW(kill(pid, 0));
    say_owner(of(pid, "status"));
    char text[64] = "";
    struct iovec here = {text, 1}, there = {text, 1};
    SHOW(process_vm_readv(pid, &here, 1, &there, 1, 0));
    CHILD("inside") {
      SHOW(setns(fd, 0));
      SHOW(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
      SHOW(kill(getppid(), 0));
      SHOW(open(of(getppid(), "ns/user"), O_RDONLY));
      say_ids(of(getppid(), "status"));
    }
    close(fd);
    dismiss(pid, end);
  }
}

static volatile int sender = -1;
static void note(int signal UNUSED, siginfo_t *info, void *context UNUSED) { sender = info->si_uid; }

TEST(who_others_are_told) {
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  int pair[2];
  SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
  CHILD("user") {
    become(USER);
    be_root(0);
    struct ucred own = {getpid(), 0, 0}, wrong = {getpid(), 1, 0};
    char room[CMSG_SPACE(sizeof own)] = {0};
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof own)};
    memcpy(CMSG_DATA(head), &wrong, sizeof wrong);
    SHOW(sendmsg(pair[0], &message, 0));
    memcpy(CMSG_DATA(head), &own, sizeof own);
    SHOW(sendmsg(pair[0], &message, 0));
    struct ucred peer;
    socklen_t size = sizeof peer;
    SHOW(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &size));
    SHOW(peer.uid);
    // A child of the same name space, and what its end tells.
    pid_t pid = fork();
    if (!pid) _exit(kill(getppid(), SIGUSR1));
    siginfo_t info = {0};
    SHOW(waitid(P_PID, pid, &info, WEXITED));
    SHOW(info.si_uid);
    SHOW(sender);
  }
  char text[8], room[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec data = {text, sizeof text};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  SHOW(recvmsg(pair[1], &message, 0));
  struct ucred who;
  memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof who);
  SHOW(who.uid);
  SHOW(who.gid);
  // Somebody from outside signals somebody inside.
  int end[2], told[2];
  pipe(end), pipe(told);
  pid_t pid = fork();
  if (!pid) {
    become(USER);
    be_root(0);
    write(told[1], "x", 1);
    while (sender < 0) usleep(500);
    say("from outside: %d", sender);
    _exit(0);
  }
  char byte;
  read(told[0], &byte, 1);
  kill(pid, SIGUSR1);
  wait_and_say("inside", pid);
}

ROLE(ids) {
  say("%u %u %u %u", getuid(), geteuid(), getgid(), getegid());
  IS(effective() != 0);
}

// Executes this program again under another name.
static void run(const char *path) {
  CHILD(path) {
    execl(path, path, "--role", "ids", NULL);
    say("%s: %s", path, error_name(errno));
  }
}

static void copy_self(const char *to, uid_t uid, mode_t mode) {
  char buffer[65536];
  int from = open("/proc/self/exe", O_RDONLY), fd = open(to, O_CREAT | O_WRONLY, 0755);
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) write(fd, buffer, n);
  close(from), close(fd);
  chown(to, uid, uid);
  chmod(to, mode);
}

TEST(programs) {
  copy_self("./plain", 0, 0755), copy_self("./root", 0, 06755), copy_self("./user", USER, 06755), copy_self("./other", OTHER, 06755);
  chmod(".", 0755);
  CHILD("root inside") {
    become(USER);
    be_root(0);
    run("./plain"), run("./root"), run("./user"), run("./other");
  }
  CHILD("not mapped") {
    become(USER);
    unshare(CLONE_NEWUSER);
    run("./plain"), run("./root"), run("./user");
  }
  CHILD("user inside") {
    int end[2];
    pid_t pid = resident(CLONE_NEWUSER, end);
    put_once(of(pid, "uid_map"), "0 1000 2"), put_once(of(pid, "gid_map"), "0 1000 2");
    int fd = open(of(pid, "ns/user"), O_RDONLY);
    setns(fd, 0);
    SHOW(setresgid(1, 1, 1));
    SHOW(setresuid(1, 1, 1));
    run("./plain"), run("./root"), run("./user"), run("./other");
    close(fd);
    dismiss(pid, end);
  }
}
