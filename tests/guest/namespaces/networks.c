// Network name spaces, network_namespaces(7).
#include "guest.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in at(const char *ip, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, ip, &name.sin_addr);
  return name;
}

static long bind_to(const char *ip, int port) {
  struct sockaddr_in name = at(ip, port);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  long result = bind(s, (void *)&name, sizeof name);
  return result < 0 ? result : s;
}

static long connect_to(const char *ip, int port) {
  struct sockaddr_in name = at(ip, port);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  long result = connect(s, (void *)&name, sizeof name);
  int error = errno;
  close(s);
  errno = error;
  return result;
}

static long send_to(const char *ip, int port) {
  struct sockaddr_in name = at(ip, port);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  long result = sendto(s, "x", 1, 0, (void *)&name, sizeof name);
  int error = errno;
  close(s);
  errno = error;
  return result;
}

static long connect_to_6(int port) {
  struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int s = socket(AF_INET6, SOCK_STREAM, 0);
  long result = connect(s, (void *)&name, sizeof name);
  int error = errno;
  close(s);
  errno = error;
  return result;
}

static int ask(unsigned long request, struct ifreq *ifr) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  strcpy(ifr->ifr_name, "lo");
  int result = ioctl(s, request, ifr), error = errno;
  close(s);
  errno = error;
  return result;
}

static void say_lo(void) {
  struct ifreq ifr = {0};
  SHOW(ask(SIOCGIFFLAGS, &ifr));
  say("flags %#x", (unsigned short)ifr.ifr_flags);
  if (ask(SIOCGIFADDR, &ifr)) say("address: %s", error_name(errno));
  else say("address %s", inet_ntoa(((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr));
}

static int set_lo(int flags) {
  struct ifreq ifr = {.ifr_flags = flags};
  return ask(SIOCSIFFLAGS, &ifr);
}

static int abstract(const char *name, int (*what)(int, const struct sockaddr *, socklen_t)) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  strcpy(un.sun_path + 1, name);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  int result = what(s, (void *)&un, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  if (!result && what == bind) listen(s, 5);
  return result ? result : s;
}

static ino_t number(const char *path) {
  struct stat st;
  return stat(path, &st) ? 0 : st.st_ino;
}

TEST(loopback_is_down) {
  say_lo();
  CHILD("inside") {
    SHOW(unshare(CLONE_NEWNET));
    say_lo();
    SHOW(connect_to("127.0.0.1", 7));
    SHOW(connect_to("127.5.5.5", 7));
    SHOW(connect_to("0.0.0.0", 7));
    SHOW(connect_to("10.0.0.1", 7));
    SHOW(connect_to_6(7));
    SHOW(send_to("127.0.0.1", 7));
    OKAY(bind_to("127.0.0.1", 0));
    OKAY(bind_to("10.0.0.1", 0));
    OKAY(bind_to("0.0.0.0", 4000));
    SHOW(set_lo(IFF_UP));
    say_lo();
    SHOW(connect_to("127.0.0.1", 7));
    SHOW(connect_to_6(7));
    SHOW(connect_to("10.0.0.1", 7));
    OKAY(bind_to("127.0.0.1", 0));
    SHOW(bind_to("10.0.0.1", 0));
    SHOW(send_to("127.0.0.1", 7));
    SHOW(set_lo(0));
    say_lo();
    SHOW(connect_to("10.0.0.1", 7));
    SHOW(connect_to_6(7));
    OKAY(bind_to("127.0.0.1", 0));
    SHOW(set_lo(IFF_UP));
    SHOW(connect_to("127.0.0.1", 7));
    SHOW(connect_to_6(7));
  }
  say_lo();
}

TEST(ports) {
  int server = OKAY(bind_to("127.0.0.1", 4001));
  listen(server, 5);
  SHOW(connect_to("127.0.0.1", 4001));
  SHOW(bind_to("127.0.0.1", 4001));
  int before = socket(AF_INET, SOCK_STREAM, 0);
  CHILD("inside") {
    unshare(CLONE_NEWNET);
    set_lo(IFF_UP);
    SHOW(connect_to("127.0.0.1", 4001));
    int own = OKAY(bind_to("127.0.0.1", 4001));
    listen(own, 5);
    SHOW(connect_to("127.0.0.1", 4001));
    // Of both servers, each has its own guests.
    struct pollfd fds[] = {{own, POLLIN}, {server, POLLIN}};
    SHOW(poll(fds, 1, 0));
    // A socket stays where it was made.
    struct sockaddr_in name = at("127.0.0.1", 4001);
    SHOW(connect(before, (void *)&name, sizeof name));
    close(own);
    SHOW(connect_to("127.0.0.1", 4001));
  }
  for (int i = 0; i < 2; i++) SHOW(accept(server, NULL, NULL) >= 0);
  fcntl(server, F_SETFL, O_NONBLOCK);
  SHOW(accept(server, NULL, NULL));
}

TEST(abstract_names) {
  OKAY(abstract("name", bind));
  OKAY(abstract("name", connect));
  SHOW(abstract("name", bind));
  CHILD("inside") {
    unshare(CLONE_NEWNET);
    SHOW(abstract("name", connect));
    OKAY(abstract("name", bind));
    OKAY(abstract("name", connect));
  }
  // Names of files are the file system's.
  struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (void *)&un, sizeof un), listen(s, 1);
  CHILD("inside") {
    unshare(CLONE_NEWNET);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&un, sizeof un));
  }
}

static int lines(const char *path) {
  char line[512];
  int n = 0;
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  while (fgets(line, sizeof line, file)) n++;
  fclose(file);
  return n;
}

TEST(procfs) {
  int server = bind_to("127.0.0.1", 4002);
  listen(server, 1);
  int outside = lines("/proc/net/tcp"), ready[2], go[2];
  char byte;
  pipe(ready), pipe(go);
  pid_t pid = fork();
  if (!pid) {
    unshare(CLONE_NEWNET);
    SHOW(lines("/proc/net/tcp"));
    SHOW(lines("/proc/self/net/if_inet6"));
    set_lo(IFF_UP);
    SHOW(lines("/proc/net/if_inet6"));
    SHOW(lines("/proc/net/dev"));
    write(ready[1], "x", 1);
    read(go[0], &byte, 1);
    _exit(0);
  }
  read(ready[0], &byte, 1);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/net/tcp", pid);
  SHOW(lines(path));
  snprintf(path, sizeof path, "/proc/%d/net/if_inet6", pid);
  SHOW(lines(path));
  IS(lines("/proc/net/tcp") == outside && outside > 1);
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  IS(number(path) != number("/proc/self/ns/net"));
  int fd = open(path, O_RDONLY);
  write(go[1], "x", 1);
  wait_and_say("inside", pid);
  CHILD("enterer") {
    SHOW(setns(fd, CLONE_NEWUTS));
    SHOW(setns(fd, CLONE_NEWNET));
    SHOW(lines("/proc/net/tcp"));
    SHOW(lines("/proc/net/if_inet6"));
    IS(lines("/proc/1/net/tcp") == outside);
  }
}

TEST(made_by_clone) {
  struct clone_args args = {.flags = CLONE_NEWNET, .exit_signal = SIGCHLD};
  pid_t pid = RAW(clone3, &args, sizeof args);
  if (!pid) { say_lo(); _exit(0); }
  wait_and_say("cloned", pid);
  CHILD("without the right") {
    setresuid(1000, 1000, 1000);
    SHOW(unshare(CLONE_NEWNET));
    SHOW(RAW(clone3, &args, sizeof args));
    SHOW(set_lo(IFF_UP));
  }
}

static void say_setting(const char *path) {
  char text[64] = "";
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  text[n > 0 ? n - 1 : 0] = 0;
  say("%s", text);
  close(fd);
}

TEST(settings) {
  const char *path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
  CHILD("inside") {
    unshare(CLONE_NEWNET);
    set_lo(IFF_UP);
    say_setting(path);
    int fd = open(path, O_WRONLY);
    SHOW(write(fd, "80", 2));
    say_setting(path);
    CHILD("user") {
      setresuid(1000, 1000, 1000);
      SHOW(bind_to("127.0.0.1", 79));
      OKAY(bind_to("127.0.0.1", 80));
    }
    CHILD("further inside") {
      unshare(CLONE_NEWNET);
      say_setting(path);
    }
  }
  say_setting(path);
}

// The flags of lo as rtnetlink has them, and their change.
static void say_link(int s) {
  struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {
    .head = {sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, .info = {.ifi_family = AF_UNSPEC}};
  char buffer[16384];
  send(s, &ask, sizeof ask, 0);
  ssize_t n = recv(s, buffer, sizeof buffer, 0);
  for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
    if (h->nlmsg_type != RTM_NEWLINK) continue;
    struct ifinfomsg *info = NLMSG_DATA(h);
    int left = IFLA_PAYLOAD(h), state = -1;
    char name[IFNAMSIZ] = "", queue[32] = "";
    for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
      if (a->rta_type == IFLA_OPERSTATE) state = *(unsigned char *)RTA_DATA(a);
      if (a->rta_type == IFLA_IFNAME) strncpy(name, RTA_DATA(a), sizeof name - 1);
      if (a->rta_type == IFLA_QDISC) strncpy(queue, RTA_DATA(a), sizeof queue - 1);
    }
    if (info->ifi_index == 1) say("%s: flags %#x state %d queue %s", name, info->ifi_flags, state, queue);
  }
}

static void change_link(int s, unsigned flags) {
  struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {
    .head = {sizeof ask, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 2, 0}, .info = {.ifi_index = 1, .ifi_flags = flags, .ifi_change = IFF_UP}};
  char buffer[1024];
  send(s, &ask, sizeof ask, 0);
  recv(s, buffer, sizeof buffer, 0);
  say("change: %s", error_name(-((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)buffer))->error));
}

TEST(netlink) {
  CHILD("inside") {
    unshare(CLONE_NEWNET);
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    say_link(s);
    change_link(s, IFF_UP);
    say_link(s);
    say_lo();
    SHOW(connect_to("127.0.0.1", 7));
    change_link(s, 0);
    say_link(s);
    // Numbers of netlink sockets are the name space's.
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_pid = 77};
    int own = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    SHOW(bind(own, (void *)&name, sizeof name));
    CHILD("further inside") {
      unshare(CLONE_NEWNET);
      int other = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
      SHOW(bind(other, (void *)&name, sizeof name));
    }
    int other = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    SHOW(bind(other, (void *)&name, sizeof name));
  }
}
