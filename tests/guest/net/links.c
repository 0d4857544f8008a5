// What programs find out about the network: interfaces, addresses, routes, tables.
#include "guest.h"
#include "net.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netdb.h>

static void say_address(const char *what, struct sockaddr *a) {
  char text[100];
  if (!a) return;
  if (a->sa_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, text, sizeof text);
  else if (a->sa_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a)->sin6_addr, text, sizeof text);
  else return;
  say("  %s %s", what, text);
}

TEST(interfaces) {
  struct ifaddrs *all, *i;
  SHOW(getifaddrs(&all));
  for (i = all; i; i = i->ifa_next) {
    if (strcmp(i->ifa_name, "lo")) continue;
    say("%s flags %#x family %d", i->ifa_name, i->ifa_flags, i->ifa_addr ? i->ifa_addr->sa_family : -1);
    say_address("address", i->ifa_addr), say_address("mask", i->ifa_netmask);
  }
  SHOW(if_nametoindex("lo"));
  SHOW(if_nametoindex("nothing0"));
  char name[IF_NAMESIZE];
  say("%s", if_indextoname(1, name) ?: "none");
  struct if_nameindex *n = if_nameindex();
  IS(n && n[0].if_index == 1 && !strcmp(n[0].if_name, "lo"));
}

TEST(requests) {
  int s = socket(AF_INET, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct ifreq r;
  memset(&r, 0, sizeof r), strcpy(r.ifr_name, "lo");
  SHOW(ioctl(s, SIOCGIFFLAGS, &r)), say("%#x", r.ifr_flags);
  SHOW(ioctl(u, SIOCGIFADDR, &r)), say_address("address", &r.ifr_addr);
  SHOW(ioctl(s, SIOCGIFNETMASK, &r)), say_address("mask", &r.ifr_addr);
  SHOW(ioctl(s, SIOCGIFBRDADDR, &r)), say_address("broadcast", &r.ifr_addr);
  SHOW(ioctl(s, SIOCGIFMTU, &r)), SHOW(r.ifr_mtu);
  SHOW(ioctl(s, SIOCGIFINDEX, &r)), SHOW(r.ifr_ifindex);
  SHOW(ioctl(s, SIOCGIFHWADDR, &r)), SHOW(r.ifr_hwaddr.sa_family);
  SHOW(ioctl(s, SIOCGIFNAME, &r)), say("%s", r.ifr_name);
  strcpy(r.ifr_name, "nothing0");
  SHOW(ioctl(s, SIOCGIFFLAGS, &r));
  SHOW(ioctl(s, SIOCGIFFLAGS, 8));
}

TEST(tables) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 7, &a), s = client(&a), c = accept(l, 0, 0);
  send(s, "unread", 6, 0);
  char line[300], want[20];
  sprintf(want, "%04X", ntohs(a.sin_port));
  FILE *f = fopen("/proc/net/tcp", "r");
  fgets(line, sizeof line, f), say("[%s] %d", strtok(line, "\n"), (int)strlen(line));
  // Linux lists in no order.
  for (int server = 1; server >= 0; server--) {
    rewind(f);
    while (fgets(line, sizeof line, f)) {
      unsigned lp, rp, st, tx, rx;
      if (sscanf(line, " %*d: %*x:%x %*x:%x %x %x:%x", &lp, &rp, &st, &tx, &rx) != 5) continue;
      if ((server ? lp : rp) != ntohs(a.sin_port) || st == 10) continue;
      say("%s state %x queues %x %x, %d long", server ? "server" : "client", st, tx, rx, (int)strlen(line));
    }
  }
  fclose(f);
  close(s), close(c);
}

TEST(netlink) {
  struct sockaddr_nl a = {.nl_family = AF_NETLINK}, b;
  int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  SHOW(bind(s, SA(a), sizeof a));
  getsockname(s, SA(b), &(socklen_t){sizeof b});
  IS(b.nl_family == AF_NETLINK && b.nl_pid == getpid());
  struct { struct nlmsghdr h; struct rtmsg m; } q = {{sizeof q, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 7}, {.rtm_family = AF_INET}};
  SHOW(send(s, &q, sizeof q, 0) == sizeof q);
  char answer[16384];
  bool done = false;
  while (!done) {
    long n = recv(s, answer, sizeof answer, 0);
    for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      done = h->nlmsg_type == NLMSG_DONE;
      if (h->nlmsg_seq != 7 || h->nlmsg_pid != getpid()) say("a wrong head");
      if (done) break;
    }
  }
  struct { struct nlmsghdr h; struct ifinfomsg m; } g = {{sizeof g, RTM_GETLINK, NLM_F_REQUEST, 8}, {.ifi_index = 999}};
  SHOW(send(s, &g, sizeof g, 0) == sizeof g);
  recv(s, answer, sizeof answer, 0);
  struct nlmsghdr *h = (void *)answer;
  say("type %d len %d error %s", h->nlmsg_type, h->nlmsg_len, error_name(-*(int *)NLMSG_DATA(h)));
  int t = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  SHOW(bind(t, SA(b), sizeof b));
  SHOW(socket(AF_NETLINK, SOCK_STREAM, 0));
  SHOW(recv(t, answer, 10, MSG_DONTWAIT));
}
