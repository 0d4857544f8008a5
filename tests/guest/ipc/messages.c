// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

struct message { long kind; char text[8192]; };

static int sends(int id, long kind, const char *text, int flags) {
  struct message m = {kind};
  strcpy(m.text, text);
  return msgsnd(id, &m, strlen(text), flags);
}

static void receives(int id, size_t room, long kind, int flags) {
  struct message m = {0};
  ssize_t n = msgrcv(id, &m, room, kind, flags);
  if (n < 0) say("nothing: %s", error_name(errno));
  else say("%zd bytes of kind %ld: %s", n, m.kind, m.text);
}

static void say_queue(int id) {
  struct msqid_ds d;
  if (msgctl(id, IPC_STAT, &d)) { say("queue: %s", error_name(errno)); return; }
  say("queue: mode %o %lu messages %lu bytes of %lu, sender %d receiver %d times %d %d %d", d.msg_perm.mode, d.msg_qnum,
      d.__msg_cbytes, d.msg_qbytes, d.msg_lspid == getpid(), d.msg_lrpid == getpid(), d.msg_stime != 0, d.msg_rtime != 0, d.msg_ctime != 0);
}

TEST(getting) {
  int id = OKAY(msgget(1234, IPC_CREAT | 0640));
  IS(msgget(1234, 0) == id);
  SHOW(msgget(1234, IPC_CREAT | IPC_EXCL));
  SHOW(msgget(4321, 0));
  say_queue(id);
  SHOW(msgctl(id, IPC_RMID, NULL));
  SHOW(msgctl(id, IPC_RMID, NULL));
  SHOW(sends(id, 1, "x", 0));
  receives(id, 10, 0, 0);
}

TEST(order) {
  int id = msgget(IPC_PRIVATE, 0600);
  SHOW(sends(id, 5, "five", 0));
  SHOW(sends(id, 3, "three", 0));
  SHOW(sends(id, 9, "nine", 0));
  SHOW(sends(id, 3, "three again", 0));
  SHOW(sends(id, 1, "", 0));
  say_queue(id);
  receives(id, 100, 3, 0);
  receives(id, 100, -4, 0);
  receives(id, 100, 5, MSG_EXCEPT);
  receives(id, 2, 0, 0);
  receives(id, 2, 0, MSG_NOERROR);
  receives(id, 100, 1, IPC_NOWAIT | MSG_COPY);
  receives(id, 100, 0, IPC_NOWAIT | MSG_COPY);
  receives(id, 100, 0, MSG_COPY);
  receives(id, 100, 7, IPC_NOWAIT);
  receives(id, 100, 0, 0);
  receives(id, 100, 0, IPC_NOWAIT);
  say_queue(id);
  msgctl(id, IPC_RMID, NULL);
}

TEST(wrong) {
  int id = msgget(IPC_PRIVATE, 0600);
  struct message m = {1};
  SHOW(sends(id, 0, "x", 0));
  SHOW(sends(id, -1, "x", 0));
  SHOW(sends(-1, 1, "x", 0));
  SHOW(msgsnd(id, &m, 8193, 0));
  SHOW(msgsnd(id, &m, -1, 0));
  SHOW(msgsnd(id, NULL, 1, 0));
  SHOW(msgrcv(id, &m, -1, 0, 0));
  SHOW(msgrcv(-1, &m, 1, 0, 0));
  SHOW(msgctl(id, 99, NULL));
  SHOW(msgctl(-1, IPC_STAT, NULL));
  sends(id, 1, "x", 0);
  SHOW(msgrcv(id, NULL, 1, 0, 0));
  say_queue(id);
  msgctl(id, IPC_RMID, NULL);
}

TEST(full) {
  int id = msgget(IPC_PRIVATE, 0600), n = 0;
  struct message m = {1};
  while (!msgsnd(id, &m, 1000, IPC_NOWAIT)) n++;
  say("%d fit: %s", n, error_name(errno));
  pid_t kid = fork();
  if (!kid) { SHOW(msgsnd(id, &m, 1000, 0)), _exit(0); }
  sleep_ms(20);
  ssize_t got = msgrcv(id, &m, 8000, 0, 0);
  wait_and_say("sender", kid);
  say("%zd", got), say_queue(id);
  struct msqid_ds d;
  msgctl(id, IPC_STAT, &d);
  d.msg_qbytes = 100;
  SHOW(msgctl(id, IPC_SET, &d));
  SHOW(msgsnd(id, &m, 1, IPC_NOWAIT));
  kid = fork();
  if (!kid) { SHOW(msgsnd(id, &m, 1, 0)), _exit(0); }
  sleep_ms(20);
  msgctl(id, IPC_RMID, NULL);
  wait_and_say("sender", kid);
}

TEST(handed_over) {
  int id = msgget(IPC_PRIVATE, 0600);
  pid_t small = fork();
  if (!small) { _exit(msgrcv(id, &(struct message){0}, 2, 7, 0) < 0 && errno == E2BIG); }
  sleep_ms(100);
  pid_t big = fork();
  if (!big) { _exit(msgrcv(id, &(struct message){0}, 100, 7, 0)); }
  sleep_ms(100);
  SHOW(sends(id, 6, "other", 0));
  SHOW(sends(id, 7, "the message", 0));
  say_queue(id);
  SHOW(msgctl(id, IPC_RMID, NULL));
  wait_and_say("small", small);
  wait_and_say("big", big);
}

static void nothing(int signal) {}

TEST(interrupted) {
  int id = msgget(IPC_PRIVATE, 0600);
  pid_t kid = fork();
  if (!kid) {
    struct sigaction a = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &a, NULL);
    receives(id, 10, 0, 0);
    receives(id, 10, 0, 0);
    _exit(0);
  }
  sleep_ms(20);
  kill(kid, SIGUSR1);
  sleep_ms(20);
  msgctl(id, IPC_RMID, NULL);
  wait_and_say("receiver", kid);
}

TEST(rights) {
  int id = msgget(IPC_PRIVATE, 0604);
  sends(id, 1, "for all", 0);
  CHILD("a user") {
    setgid(1000), setuid(1000);
    SHOW(sends(id, 1, "x", 0));
    receives(id, 100, 0, 0);
    struct msqid_ds d;
    SHOW(msgctl(id, IPC_STAT, &d));
    SHOW(msgctl(id, IPC_SET, &d));
    SHOW(msgctl(id, IPC_RMID, NULL));
  }
  struct msginfo info;
  IS(msgctl(0, IPC_INFO, (void *)&info) == (id & 0x7fff));
  say("%d %d %d", info.msgmax, info.msgmnb, info.msgmni);
  IS(msgctl(0, MSG_INFO, (void *)&info) == (id & 0x7fff));
  say("%d queues %d messages %d bytes", info.msgpool, info.msgmap, info.msgtql);
  struct msqid_ds d;
  IS(msgctl(id & 0x7fff, MSG_STAT, &d) == id);
  msgctl(id, IPC_RMID, NULL);
}
