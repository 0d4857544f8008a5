// Filters of sockets: SO_ATTACH_FILTER and its siblings.
#include "guest.h"
#include "net.h"
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/if_ether.h>

#define PROGRAM(...) ({ static struct sock_filter c_[] = {__VA_ARGS__}; (struct sock_fprog){sizeof c_ / sizeof *c_, c_}; })
#define ATTACH(s, ...) ({ struct sock_fprog p_ = PROGRAM(__VA_ARGS__); setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p_, sizeof p_); })
#define RET(n) BPF_STMT(BPF_RET | BPF_K, n)

static int bound(struct sockaddr_in *at) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  *at = v4(INADDR_LOOPBACK, 0);
  if (bind(s, SA(*at), sizeof *at)) say("bind: %s", error_name(errno));
  getsockname(s, SA(*at), &(socklen_t){sizeof *at});
  return s;
}

TEST(attaching) {
  struct sockaddr_in a;
  int s = bound(&a), one = 1, zero = 0;
  struct sock_filter got[10];
  socklen_t n;
  SHOW(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
  SHOW(ATTACH(s, BPF_STMT(BPF_LD | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0)));
  n = 0, SHOW(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n)), SHOW(n);
  n = 1, SHOW(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n)), SHOW(n);
  n = 10, SHOW(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n)), SHOW(n), SHOW(got[0].code), SHOW(got[1].code);
  struct sock_fprog p = {0, got};
  SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  p.len = 1, SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, 8));
  p.filter = (void *)8, SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  p.filter = 0, SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, 0, sizeof p));
  p.len = 5000, p.filter = got, SHOW(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  SHOW(ATTACH(s, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), RET(1)));
  SHOW(ATTACH(s, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RET(1)));
  SHOW(ATTACH(s, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + 1), RET(1)));
  SHOW(ATTACH(s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), RET(1)));
  SHOW(ATTACH(s, BPF_STMT(BPF_LD | BPF_MEM, 3), RET(1)));
  SHOW(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &one, 4)), SHOW(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
  SHOW(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, 0, 0));
  SHOW(ATTACH(s, RET(0)));
  SHOW(setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &zero, 4)), SHOW(setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &one, 4));
  n = 4, SHOW(getsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, got, &n)), SHOW(*(int *)got);
  SHOW(setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &zero, 4)), SHOW(setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &one, 4));
  SHOW(ATTACH(s, RET(0))), SHOW(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
}

TEST(datagrams) {
  struct sockaddr_in a;
  int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  char b[20];
#define SEND(text) SHOW(sendto(s, text, strlen(text), 0, SA(a), sizeof a))
#define RECV() SHOW(recv(r, b, sizeof b, MSG_DONTWAIT | MSG_TRUNC))
  SHOW(ATTACH(r, RET(0))), SEND("hello"), RECV();
  SHOW(ATTACH(r, RET(10))), SEND("hello"), RECV();
  SHOW(ATTACH(r, RET(4))), SEND("hello"), RECV();
  SHOW(ATTACH(r, RET(-1))), SEND("hello"), RECV();
  // Only what begins with an x.
  SHOW(ATTACH(r, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'x', 0, 1), RET(-1), RET(0)));
  SEND("hello"), SEND("xello"), RECV(), RECV();
  // Beyond the end: dropped.
  SHOW(ATTACH(r, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 10), RET(-1)));
  SEND("12345"), SEND("123456"), RECV(), RECV();
  // From X on, and by the length.
  SHOW(ATTACH(r, BPF_STMT(BPF_LDX | BPF_IMM, 3), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 5), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), RET(-1), RET(0)));
  SEND("yes"), SEND("no"), RECV(), RECV();
  SHOW(ATTACH(r, BPF_STMT(BPF_LD | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1), BPF_STMT(BPF_RET | BPF_A, 0)));
  SEND("yes"), RECV();
  SHOW(setsockopt(r, SOL_SOCKET, SO_DETACH_FILTER, &one, 4)), SEND("all"), RECV();
}

TEST(packets) {
  struct sockaddr_in a;
  int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), p = socket(AF_PACKET, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  char b[100];
  SHOW(ATTACH(p, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1), RET(30), RET(0)));
  SHOW(ATTACH(raw, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_RET | BPF_A, 0)));
  struct sockaddr_ll l = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1};
  SHOW(bind(p, SA(l), sizeof l));
  SEND("hello");
  SHOW(recv(p, b, sizeof b, MSG_DONTWAIT | MSG_TRUNC)), SHOW(recv(p, b, sizeof b, MSG_DONTWAIT));
  SHOW(recv(raw, b, sizeof b, MSG_DONTWAIT | MSG_TRUNC)), SHOW(recv(raw, b, sizeof b, MSG_DONTWAIT));
}

TEST(unix_datagrams) {
  int v[2];
  char b[20];
  SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, v));
  SHOW(ATTACH(v[1], RET(3))), SHOW(send(v[0], "hello", 5, 0)), SHOW(recv(v[1], b, 20, MSG_DONTWAIT | MSG_TRUNC));
  SHOW(ATTACH(v[1], RET(0))), SHOW(send(v[0], "hello", 5, 0)), SHOW(recv(v[1], b, 20, MSG_DONTWAIT));
}
