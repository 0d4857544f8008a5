// What programs about sockets have in common.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SA(a) ((struct sockaddr *)&(a))

UNUSED static struct sockaddr_in v4(uint32_t ip, uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

// A listener on the loopback at a port of the kernel's choice.
UNUSED static int listener(int family UNUSED, int backlog, struct sockaddr_in *at) {
  int l = socket(AF_INET, SOCK_STREAM, 0);
  *at = v4(INADDR_LOOPBACK, 0);
  if (bind(l, SA(*at), sizeof *at) || listen(l, backlog)) say("listener: %s", error_name(errno));
  getsockname(l, SA(*at), &(socklen_t){sizeof *at});
  return l;
}

UNUSED static int client(struct sockaddr_in *to) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, SA(*to), sizeof *to)) say("client: %s", error_name(errno));
  return s;
}

// Both ends of a connection.
UNUSED static void pair(int family, int *s, int *c) {
  struct sockaddr_in a;
  int l = listener(family, 1, &a);
  *s = client(&a);
  *c = accept(l, 0, 0);
  if (*c < 0) say("accept: %s", error_name(errno));
  close(l);
}

// What poll(2) says, by name.
UNUSED static void say_poll(const char *when, int fd) {
  static const struct { int bit; const char *name; } bits[] = {
    {POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLRDHUP, "RDHUP"},
  };
  struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0};
  char line[100] = "";
  poll(&p, 1, 0);
  for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
    if (p.revents & bits[i].bit) strcat(strcat(line, " "), bits[i].name);
  say("%s:%s", when, line);
}

// The own address without a port that the kernel chose.
UNUSED static void say_name(const char *who, int fd) {
  union { struct sockaddr sa; struct sockaddr_in a; struct sockaddr_in6 b; } u;
  socklen_t n = sizeof u;
  char text[100] = "";
  if (getsockname(fd, &u.sa, &n)) { say("%s: %s", who, error_name(errno)); return; }
  bool four = u.sa.sa_family == AF_INET;
  inet_ntop(u.sa.sa_family, four ? (void *)&u.a.sin_addr : (void *)&u.b.sin6_addr, text, sizeof text);
  say("%s: %s %s port, %d bytes", who, text, (four ? u.a.sin_port : u.b.sin6_port) ? "some" : "no", (int)n);
}

UNUSED static int so_error(int fd) {
  int e = -1;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){sizeof e});
  return e;
}
