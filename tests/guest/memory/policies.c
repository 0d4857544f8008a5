// Where memory is to come from, on a machine with one node; and locks that bring nothing in.
#include "guest.h"

#include <sys/mman.h>

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, NODE = 1, ADDR = 2, ALLOWED = 4 };
static unsigned long one = 1;

static void show_policy(const char *what, void *at, int flags) {
  int mode = -1;
  unsigned long nodes[16] = {0};
  errno = 0;
  long result = RAW(get_mempolicy, &mode, nodes, 1024, at, flags);
  if (result) say("%s: %s", what, error_name(errno));
  else say("%s: mode %d, nodes %lx", what, mode, nodes[0]);
}

TEST(of_threads) {
  show_policy("at first", NULL, 0);
  show_policy("allowed", NULL, ALLOWED);
  show_policy("the next node", NULL, NODE);
  SHOW(RAW(set_mempolicy, BIND, &one, 64));
  show_policy("bound", NULL, 0);
  CHILD("a child") show_policy("inherited", NULL, 0);
  SHOW(RAW(set_mempolicy, INTERLEAVE, &one, 64));
  show_policy("interleaved", NULL, 0);
  show_policy("the next node", NULL, NODE);
  SHOW(RAW(set_mempolicy, PREFERRED, NULL, 0));
  show_policy("no node is preferred", NULL, 0);
  SHOW(RAW(set_mempolicy, PREFERRED, &one, 64));
  show_policy("preferred", NULL, 0);
  SHOW(RAW(set_mempolicy, DEFAULT, &one, 64));
  SHOW(RAW(set_mempolicy, BIND, NULL, 0));
  SHOW(RAW(set_mempolicy, DEFAULT, NULL, 0));
  show_policy("at last", NULL, 0);
}

TEST(of_mappings) {
  char *p = mmap(0, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[0] = 1;
  SHOW(RAW(mbind, p + 4096, 4096, BIND, &one, 64, 0));
  show_policy("before it", p, ADDR);
  show_policy("the mapping", p + 4096, ADDR);
  show_policy("behind it", p + 8192, ADDR);
  show_policy("its node", p, ADDR | NODE);
  SHOW(RAW(set_mempolicy, INTERLEAVE, &one, 64));
  show_policy("before it", p, ADDR);
  show_policy("the mapping", p + 4096, ADDR);
  SHOW(RAW(mbind, p, 12288, DEFAULT, NULL, 0, 0));
  show_policy("the mapping", p + 4096, ADDR);
  show_policy("nowhere", (void *)8, ADDR);
  show_policy("an address for nothing", p, 0);
}

TEST(locked_on_fault) {
  enum { PAGES = 8 };
  unsigned char in[PAGES];
  char *p = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(mlock2(p, PAGES * 4096, MLOCK_ONFAULT));
  p[2 * 4096] = 1;
  mincore(p, PAGES * 4096, in);
  int count = 0;
  for (int i = 0; i < PAGES; i++) count += in[i] & 1;
  say("%d pages are there", count);
  SHOW(mlock2(p, PAGES * 4096, 0));
  mincore(p, PAGES * 4096, in);
  count = 0;
  for (int i = 0; i < PAGES; i++) count += in[i] & 1;
  say("%d pages are there", count);
}
