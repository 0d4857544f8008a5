// Pseudoterminals: packet mode, exclusive use, and what is left after a hangup.
#include "guest.h"

#include <termios.h>

static int master, slave;
static char slave_name[64];

static bool pair(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (master < 0) {
    say("no terminals here");
    return false;
  }
  grantpt(master), unlockpt(master);
  ptsname_r(master, slave_name, sizeof slave_name);
  slave = open(slave_name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  return true;
}

static void say_packet(const char *after) {
  unsigned char got[64];
  ssize_t n = read(master, got, sizeof got);
  if (n < 0) say("%s: %s", after, error_name(errno));
  else say("%s: %#x and %ld bytes", after, got[0], (long)n - 1);
}

TEST(packets) {
  if (!pair()) return;
  struct termios settings;
  struct pollfd watched = {master, POLLIN | POLLPRI};
  SHOW(ioctl(master, TIOCPKT, &(int){1}));
  write(slave, "data", 4);
  say_packet("data");
  tcflush(slave, TCIFLUSH);
  SHOW(poll(&watched, 1, 0));
  say("ready for %#x", watched.revents);
  say_packet("the input is flushed");
  tcflush(slave, TCOFLUSH);
  say_packet("the output is flushed");
  tcflow(slave, TCOOFF);
  say_packet("it stops");
  tcflow(slave, TCOON);
  say_packet("it starts");
  tcgetattr(slave, &settings);
  settings.c_iflag &= ~IXON;
  tcsetattr(slave, TCSANOW, &settings);
  say_packet("no flow control");
  settings.c_iflag |= IXON;
  tcsetattr(slave, TCSANOW, &settings);
  say_packet("flow control");
  settings.c_lflag |= EXTPROC;
  tcsetattr(slave, TCSANOW, &settings);
  say_packet("processed outside");
  say_packet("nothing more");
  ioctl(master, TIOCPKT, &(int){0});
  tcflush(slave, TCIFLUSH);
  say_packet("no packets");
}

TEST(exclusive) {
  if (!pair()) return;
  int value;
  unsigned device;
  SHOW(ioctl(slave, TIOCGEXCL, &value));
  say("%d", value);
  SHOW(ioctl(slave, TIOCEXCL));
  SHOW(ioctl(master, TIOCGEXCL, &value));
  say("%d", value);
  SHOW(open(slave_name, O_RDWR | O_NOCTTY));
  SHOW(ioctl(slave, TIOCNXCL));
  SHOW(open(slave_name, O_RDWR | O_NOCTTY) >= 0);
  SHOW(ioctl(slave, TIOCGEXCL, &value));
  say("%d", value);
  SHOW(ioctl(slave, TIOCGDEV, &device));
  say("major %u", device >> 8 & 0xfff);
}

TEST(hung_up) {
  if (!pair()) return;
  struct termios settings;
  struct pollfd watched = {slave, POLLIN | POLLOUT};
  char text[8];
  close(master);
  SHOW(read(slave, text, 8));
  SHOW(write(slave, text, 8));
  SHOW(tcgetattr(slave, &settings));
  SHOW(ioctl(slave, TIOCSPGRP, &(int){0}));
  SHOW(ioctl(slave, FIONREAD, &(int){0}));
  poll(&watched, 1, 0);
  say("ready for %#x", watched.revents);
}

TEST(lower_case) {
  if (!pair()) return;
  struct termios settings;
  char text[64] = "";
  tcgetattr(slave, &settings);
  settings.c_iflag = IUCLC, settings.c_lflag = ICANON | IEXTEN;
  tcsetattr(slave, TCSANOW, &settings);
  write(master, "Ab1\n", 4);
  struct pollfd typed = {slave, POLLIN};
  poll(&typed, 1, 15000);
  SHOW(read(slave, text, sizeof text));
  say("[%.3s]", text);
}

TEST(long_lines) {
  if (!pair()) return;
  static char line[6000];
  memset(line, 'x', sizeof line);
  SHOW(write(master, line, sizeof line));
  write(master, "\n", 1);
  struct pollfd typed = {slave, POLLIN};
  poll(&typed, 1, 15000);
  SHOW(read(slave, line, sizeof line));
}

TEST(without_the_right_to) { SHOW(RAW(vhangup)); }
