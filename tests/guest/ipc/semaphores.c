// semget(2), semop(2), semctl(2).
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static void say_set(int id) {
  struct semid_ds d;
  unsigned short v[16];
  if (semctl(id, 0, IPC_STAT, &d)) { say("set: %s", error_name(errno)); return; }
  char line[200];
  int n = snprintf(line, sizeof line, "set: mode %o otime %d ctime %d:", d.sem_perm.mode, d.sem_otime != 0, d.sem_ctime != 0);
  semctl(id, 0, GETALL, v);
  for (unsigned i = 0; i < d.sem_nsems; i++)
    n += snprintf(line + n, sizeof line - n, " %d(%s n%d z%d)", v[i], semctl(id, i, GETPID) == getpid() ? "us" : semctl(id, i, GETPID) ? "other" : "none",
                  semctl(id, i, GETNCNT), semctl(id, i, GETZCNT));
  say("%s", line);
}

static int op(int id, int number, int change, int flags) {
  struct sembuf s = {number, change, flags};
  return semop(id, &s, 1);
}

// Until somebody waits for semaphore `number`.
static void await_waiters(int id, int number, int command, int count) {
  while (semctl(id, number, command) != count) sleep_ms(1);
}

TEST(getting) {
  int id = OKAY(semget(1234, 3, IPC_CREAT | 0640));
  IS(semget(1234, 0, 0) == id);
  SHOW(semget(1234, 4, 0));
  SHOW(semget(1234, 3, IPC_CREAT | IPC_EXCL));
  SHOW(semget(4321, 3, 0));
  SHOW(semget(4321, 0, IPC_CREAT));
  SHOW(semget(4321, -1, IPC_CREAT));
  SHOW(semget(4321, 32001, IPC_CREAT));
  say_set(id);
  SHOW(semctl(id, 0, IPC_RMID));
  SHOW(semctl(id, 0, IPC_RMID));
  SHOW(op(id, 0, 1, 0));
}

TEST(values) {
  int id = semget(IPC_PRIVATE, 3, 0600);
  SHOW(semctl(id, 1, SETVAL, 5));
  SHOW(semctl(id, 1, SETVAL, -1));
  SHOW(semctl(id, 1, SETVAL, 32768));
  SHOW(semctl(id, 3, SETVAL, 1));
  SHOW(semctl(id, 1, GETVAL));
  SHOW(semctl(id, -1, GETVAL));
  SHOW(semctl(id, 0, 99));
  unsigned short v[3] = {1, 2, 3}, bad[3] = {1, 40000, 3};
  SHOW(semctl(id, 0, SETALL, v));
  SHOW(semctl(id, 0, SETALL, bad));
  say_set(id);
  SHOW(op(id, 0, 1, 0));
  SHOW(op(id, 0, -3, IPC_NOWAIT));
  SHOW(op(id, 0, 0, IPC_NOWAIT));
  SHOW(op(id, 3, 1, 0));
  SHOW(op(id, 0, 32767, 0));
  SHOW(semop(id, NULL, 0));
  SHOW(semop(id, NULL, 1));
  SHOW(semop(id, NULL, 501));
  SHOW(semop(-1, NULL, 1));
  struct sembuf both[2] = {{1, -2, 0}, {2, -9, IPC_NOWAIT}}, twice[2] = {{1, 4, 0}, {1, -6, IPC_NOWAIT}};
  SHOW(semop(id, both, 2));
  SHOW(semop(id, twice, 2));
  say_set(id);
  struct timespec t = {0, 1000000}, wrong = {0, -1};
  SHOW(semtimedop(id, &(struct sembuf){0, -9, 0}, 1, &t));
  SHOW(semtimedop(id, &(struct sembuf){0, -9, 0}, 1, &wrong));
  SHOW(semtimedop(id, &(struct sembuf){0, 1, 0}, 1, (void *)8));
  semctl(id, 0, IPC_RMID);
}

TEST(waiting) {
  int id = semget(IPC_PRIVATE, 2, 0600);
  pid_t kid = fork();
  if (!kid) {
    op(id, 0, -2, 0);
    struct sembuf both[2] = {{0, 0, 0}, {1, -1, 0}};
    _exit(semop(id, both, 2) ? 1 : 0);
  }
  await_waiters(id, 0, GETNCNT, 1);
  say_set(id);
  SHOW(op(id, 0, 1, 0));
  say_set(id);
  SHOW(op(id, 0, 2, 0));
  say("%d left at once", semctl(id, 0, GETVAL));
  await_waiters(id, 0, GETZCNT, 1);
  say_set(id);
  SHOW(op(id, 0, -1, 0));
  await_waiters(id, 1, GETNCNT, 1);
  SHOW(op(id, 1, 1, 0));
  say_set(id);
  wait_and_say("waiter", kid);
  semctl(id, 0, IPC_RMID);
}

TEST(a_chain) {
  int id = semget(IPC_PRIVATE, 3, 0600);
  for (int i = 0; i < 3; i++)
    if (!fork()) {
      struct sembuf step[2] = {{i, -1, 0}, {(i + 1) % 3, 1, 0}};
      if (i == 2) step[1].sem_op = 5;
      semop(id, step, 2), _exit(0);
    }
  for (int i = 0; i < 3; i++) await_waiters(id, i, GETNCNT, 1);
  SHOW(op(id, 0, 1, 0));
  say("%d %d %d", semctl(id, 0, GETVAL), semctl(id, 1, GETVAL), semctl(id, 2, GETVAL));
  while (wait(NULL) > 0) {}
  semctl(id, 0, IPC_RMID);
}

TEST(removed) {
  int id = semget(IPC_PRIVATE, 1, 0600);
  pid_t kid = fork();
  if (!kid) { SHOW(op(id, 0, -1, 0)), _exit(0); }
  await_waiters(id, 0, GETNCNT, 1);
  semctl(id, 0, IPC_RMID);
  wait_and_say("waiter", kid);
}

static void nothing(int signal) {}

TEST(interrupted) {
  int id = semget(IPC_PRIVATE, 1, 0600);
  pid_t kid = fork();
  if (!kid) {
    struct sigaction a = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &a, NULL);
    SHOW(op(id, 0, -1, 0));
    _exit(0);
  }
  await_waiters(id, 0, GETNCNT, 1);
  kill(kid, SIGUSR1);
  wait_and_say("waiter", kid);
  SHOW(semctl(id, 0, GETNCNT));
  semctl(id, 0, IPC_RMID);
}

TEST(undoing) {
  int id = semget(IPC_PRIVATE, 3, 0600);
  semctl(id, 0, SETVAL, 5);
  CHILD("takes and ends") {
    op(id, 0, -3, SEM_UNDO), op(id, 1, 4, SEM_UNDO), op(id, 1, 4, 0), op(id, 2, 2, SEM_UNDO);
    op(id, 2, -1, 0);
    say_set(id);
  }
  say_set(id);
  CHILD("loses what is set") {
    op(id, 0, -3, SEM_UNDO);
    semctl(id, 0, SETVAL, 1);
  }
  say_set(id);
  CHILD("is killed") {
    op(id, 0, -1, SEM_UNDO);
    kill(getpid(), SIGKILL);
  }
  say_set(id);
  CHILD("does not hand it on") {
    op(id, 0, -1, SEM_UNDO);
    CHILD("grandchild") say_set(id);
    say_set(id);
  }
  say_set(id);
  CHILD("too much") {
    semctl(id, 0, SETVAL, 32767);
    SHOW(op(id, 0, -32767, SEM_UNDO));
    op(id, 0, 2, 0);
    SHOW(op(id, 0, -2, SEM_UNDO));
  }
  say("%d", semctl(id, 0, GETVAL));
  semctl(id, 0, SETVAL, 0);
  pid_t kid = fork();
  if (!kid) { op(id, 0, 1, SEM_UNDO), pause(); }
  while (semctl(id, 0, GETVAL) != 1) sleep_ms(1);
  pid_t zero = fork();
  if (!zero) { SHOW(op(id, 0, 0, 0)), _exit(0); }
  await_waiters(id, 0, GETZCNT, 1);
  kill(kid, SIGKILL);
  wait_and_say("zero", zero);
  semctl(id, 0, IPC_RMID);
}

TEST(rights) {
  int id = semget(IPC_PRIVATE, 1, 0604);
  CHILD("a user") {
    setgid(1000), setuid(1000);
    SHOW(op(id, 0, 1, 0));
    SHOW(op(id, 0, 0, 0));
    SHOW(semctl(id, 0, GETVAL));
    SHOW(semctl(id, 0, SETVAL, 1));
    struct semid_ds d;
    SHOW(semctl(id, 0, IPC_STAT, &d));
    SHOW(semctl(id, 0, IPC_SET, &d));
    SHOW(semctl(id, 0, IPC_RMID));
  }
  struct semid_ds d;
  semctl(id, 0, IPC_STAT, &d);
  d.sem_perm.mode = 0600, d.sem_perm.uid = 1000;
  SHOW(semctl(id, 0, IPC_SET, &d));
  say_set(id);
  struct seminfo info;
  IS(semctl(0, 0, IPC_INFO, &info) == (id & 0x7fff));
  say("%d %d %d %d %d %d %d", info.semmni, info.semmns, info.semmsl, info.semopm, info.semume, info.semvmx, info.semaem);
  IS(semctl(0, 0, SEM_INFO, &info) == (id & 0x7fff));
  say("%d sets, %d semaphores", info.semusz, info.semaem);
  IS(semctl(id & 0x7fff, 0, SEM_STAT, &d) == id);
  semctl(id, 0, IPC_RMID);
}
