// shmget(2), shmat(2), shmctl(2).
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static void say_segment(int id) {
  struct shmid_ds d;
  if (shmctl(id, IPC_STAT, &d)) { say("segment: %s", error_name(errno)); return; }
  say("segment: mode %o size %zu attached %lu by us %d last us %d atime %d dtime %d ctime %d key %d", d.shm_perm.mode,
      d.shm_segsz, d.shm_nattch, d.shm_cpid == getpid(), d.shm_lpid == getpid(), d.shm_atime != 0, d.shm_dtime != 0,
      d.shm_ctime != 0, d.shm_perm.__key);
}

TEST(getting) {
  int id = OKAY(shmget(1234, 5000, IPC_CREAT | 0640));
  IS(shmget(1234, 0, 0) == id);
  IS(shmget(1234, 5000, IPC_CREAT) == id);
  SHOW(shmget(1234, 5001, 0));
  SHOW(shmget(1234, 5000, IPC_CREAT | IPC_EXCL));
  SHOW(shmget(4321, 5000, 0));
  SHOW(shmget(4321, 0, IPC_CREAT));
  SHOW(shmget(IPC_PRIVATE, 0, 0600));
  SHOW(shmget(4321, (size_t)-1, IPC_CREAT));
  int other = OKAY(shmget(IPC_PRIVATE, 1, 0600));
  IS(other != id);
  say_segment(id), say_segment(other);
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW(shmctl(other, IPC_RMID, NULL));
  SHOW(shmctl(-1, IPC_STAT, NULL));
  SHOW(shmctl(other, 99, NULL));
  SHOW(shmget(1234, 0, 0));
}

TEST(attaching) {
  int id = shmget(IPC_PRIVATE, 3 * 4096 + 5, 0600);
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
  IS(a != (void *)-1 && b != (void *)-1);
  say_segment(id);
  strcpy(a + 5000, "through both"), say("%s", b + 5000);
  SHOW(mprotect(b, 4096, PROT_READ | PROT_WRITE));
  SHOW((long)shmat(id, a, 0));
  SHOW((long)shmat(id, a + 1, 0));
  IS(shmat(id, a, SHM_REMAP) == a);
  IS(shmat(id, a + 1, SHM_REMAP | SHM_RND) == a);
  SHOW((long)shmat(id, NULL, SHM_REMAP));
  SHOW((long)shmat(-1, NULL, 0));
  SHOW((long)shmat(99999, NULL, 0));
  say_segment(id);
  SHOW(shmdt(a + 4096));
  SHOW(shmdt(a));
  SHOW(shmdt(a));
  say_segment(id);
  SHOW(shmdt(b));
  say_segment(id);
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW((long)shmat(id, NULL, 0));
}

TEST(parts) {
  int id = shmget(IPC_PRIVATE, 4 * 4096, 0600);
  char *a = shmat(id, NULL, 0);
  SHOW(munmap(a + 4096, 4096));
  say_segment(id);
  SHOW(shmdt(a + 4096));
  SHOW(shmdt(a));
  say_segment(id);
  a = shmat(id, NULL, 0);
  SHOW(munmap(a, 4096));
  SHOW(shmdt(a));
  say_segment(id);
  a = shmat(id, NULL, 0);
  char *moved = mremap(a, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, a - 0x100000);
  IS(moved == a - 0x100000);
  SHOW(shmdt(a));
  SHOW(shmdt(moved));
  SHOW(shmctl(id, IPC_RMID, NULL));
}

TEST(removed_while_attached) {
  int id = shmget(77, 4096, IPC_CREAT | 0600);
  char *a = shmat(id, NULL, 0);
  strcpy(a, "still here");
  SHOW(shmctl(id, IPC_RMID, NULL));
  say_segment(id);
  SHOW(shmget(77, 4096, 0));
  CHILD("attaches again") {
    char *b = shmat(id, NULL, 0);
    say("%s", b);
    strcpy(b, "from the child");
    say_segment(id);
  }
  say("%s", a);
  SHOW(shmctl(id, IPC_RMID, NULL));
  say_segment(id);
  SHOW(shmdt(a));
  say_segment(id);
  SHOW(shmctl(id, IPC_RMID, NULL));
}

TEST(forks_and_executes) {
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  char *a = shmat(id, NULL, 0);
  CHILD("inherits") {
    say_segment(id);
    strcpy(a, "written by the child");
    shmdt(a);
    say_segment(id);
  }
  say("%s", a);
  CHILD("executes") {
    char text[20];
    sprintf(text, "%d", id);
    execl("/proc/self/exe", "guest", "--role", "shows", text, NULL);
  }
  CHILD("dies attached") kill(getpid(), SIGKILL);
  say_segment(id);
  shmctl(id, IPC_RMID, NULL);
}

ROLE(shows) {
  struct shmid_ds d;
  SHOW(shmctl(atoi(argv[0]), IPC_STAT, &d));
  say("attached %lu, dtime %d", d.shm_nattch, d.shm_dtime != 0);
}

TEST(rights) {
  int mine = shmget(IPC_PRIVATE, 4096, 0600), readable = shmget(55, 4096, IPC_CREAT | 0604);
  CHILD("a user") {
    setgid(1000), setuid(1000);
    SHOW((long)shmat(mine, NULL, 0));
    SHOW((long)shmat(mine, NULL, SHM_RDONLY));
    SHOW((long)shmat(readable, NULL, 0));
    IS(shmat(readable, NULL, SHM_RDONLY) != (void *)-1);
    SHOW((long)shmat(readable, NULL, SHM_RDONLY | SHM_EXEC));
    SHOW(shmget(55, 1, 0600));
    OKAY(shmget(55, 1, 0004));
    struct shmid_ds d;
    SHOW(shmctl(mine, IPC_STAT, &d));
    SHOW(shmctl(readable, IPC_STAT, &d));
    SHOW(shmctl(readable, IPC_SET, &d));
    SHOW(shmctl(readable, IPC_RMID, NULL));
    SHOW(shmctl(readable, SHM_LOCK, NULL));
  }
  struct shmid_ds d;
  shmctl(mine, IPC_STAT, &d);
  d.shm_perm.uid = 1000, d.shm_perm.mode = 07444;
  SHOW(shmctl(mine, IPC_SET, &d));
  say_segment(mine);
  SHOW(shmctl(mine, SHM_LOCK, NULL));
  say_segment(mine);
  SHOW(shmctl(mine, SHM_UNLOCK, NULL));
  SHOW(shmctl(mine, IPC_STAT, (void *)8));
  CHILD("its new owner") {
    setgid(1000), setuid(1000);
    SHOW(shmctl(mine, IPC_RMID, NULL));
  }
  shmctl(readable, IPC_RMID, NULL);
}

TEST(numbers) {
  int a = shmget(IPC_PRIVATE, 4096, 0600), b = shmget(IPC_PRIVATE, 8192, 0600);
  say("one apart: %d", b - a);
  struct shminfo info;
  IS(shmctl(0, IPC_INFO, (void *)&info) == (b & 0x7fff));
  say("max %lx min %lu mni %lu seg %lu all %lx", info.shmmax, info.shmmin, info.shmmni, info.shmseg, info.shmall);
  struct shm_info use;
  IS(shmctl(0, SHM_INFO, (void *)&use) == (b & 0x7fff));
  say("%d used, %lu pages, %lu there", use.used_ids, use.shm_tot, use.shm_rss);
  struct shmid_ds d;
  IS(shmctl(b & 0x7fff, SHM_STAT, &d) == b);
  shmctl(a, IPC_RMID, NULL), shmctl(b, IPC_RMID, NULL);
  int last = b;
  for (int i = 0; i < 70; i++) last = shmget(IPC_PRIVATE, 1, 0600), shmctl(last, IPC_RMID, NULL);
  say("after 70 more: %d apart", last - b);
  FILE *f = fopen("/proc/sysvipc/shm", "r");
  char line[400];
  while (fgets(line, sizeof line, f)) say("%zu: %.30s", strlen(line), line);
  fclose(f);
}

TEST(a_name_space_of_its_own) {
  int id = shmget(99, 4096, IPC_CREAT | 0600);
  CHILD("unshares") {
    SHOW(unshare(CLONE_NEWIPC));
    SHOW(shmget(99, 4096, 0));
    OKAY(shmget(99, 4096, IPC_CREAT | 0600));
  }
  shmctl(id, IPC_RMID, NULL);
}
