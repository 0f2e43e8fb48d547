/* Imitated GPIO chips under the real lgpio: LD_PRELOAD this, with VOICELATCH_TEST_CHIP naming the recorder's socket.
 *
 * Only the kernel's side of /dev/gpiochip* is imitated, and the file from which gpiozero learns which Pi it is on. Which
 * chips there are, the recorder knows; a listing of /dev shows the folder "dev" beside its socket.
 * Each open chip and each requested line is a SOCK_SEQPACKET connection to the recorder (gpio_chip.py), which therefore
 * sees them close however the process dies. Levels live in the recorder, as they live in the Pi's registers.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum kind { FOREIGN, CHIP, LINE };
#define MAX_FD 1024
static enum kind kinds[MAX_FD];
static unsigned offsets[MAX_FD];
static unsigned numbers[MAX_FD];
/* A line whose edges are watched is polled by lgpio: no answer of the recorder may come in there. No edge ever does. */
static int watched[MAX_FD];
/* Raspberry Pi 4B 1.4, big-endian as in a device tree: its header is on chip 0. */
static const unsigned char revision[4] = {0x00, 0xc0, 0x31, 0x14};

static enum kind kind_of(int fd) { return fd >= 0 && fd < MAX_FD ? kinds[fd] : FOREIGN; }

static int reach_recorder(enum kind kind) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  strncpy(address.sun_path, getenv("VOICELATCH_TEST_CHIP"), sizeof address.sun_path - 1);
  if (fd < 0 || fd >= MAX_FD || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    if (fd >= 0) close(fd);
    errno = ENOENT;
    return -1;
  }
  kinds[fd] = kind;
  return fd;
}

static char answer_text[96];

/* Ask the recorder; its answer is a number, or below zero an errno. What follows the number stays in "answer_text". */
static long ask(int fd, const char *format, ...) {
  char text[96];
  va_list given;
  va_start(given, format);
  int length = vsnprintf(text, sizeof text, format, given);
  va_end(given);
  long sent;
  /* A signal does not interrupt a chip's registers. */
  do sent = send(fd, text, length, MSG_NOSIGNAL); while (sent < 0 && errno == EINTR);
  if (sent != length) { errno = EIO; return -1; }
  do length = recv(fd, text, sizeof text - 1, 0); while (length < 0 && errno == EINTR);
  if (length <= 0) { errno = EIO; return -1; }
  text[length] = 0;
  char *more;
  long answer = strtol(text, &more, 10);
  strcpy(answer_text, *more == ' ' ? more + 1 : more);
  if (answer < 0) { errno = -answer; return -1; }
  return answer;
}

static int open_revision(void) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  if (write(ends[1], revision, sizeof revision) != sizeof revision) { errno = EIO; return -1; }
  close(ends[1]);
  return ends[0];
}

/* 1 when the path is ours; *fd is then the result. */
static int imitated(const char *path, int *fd) {
  if (path == NULL || getenv("VOICELATCH_TEST_CHIP") == NULL) return 0;
  if (strcmp(path, "/proc/device-tree/system/linux,revision") == 0) { *fd = open_revision(); return 1; }
  unsigned number;
  if (sscanf(path, "/dev/gpiochip%u", &number) != 1) return 0;
  *fd = reach_recorder(CHIP);
  if (*fd >= 0) {
    numbers[*fd] = number;
    if (ask(*fd, "open %u", number) < 0) {
      int problem = errno;
      close(*fd);
      errno = problem;
      *fd = -1;
    }
  }
  return 1;
}

DIR *opendir(const char *path) {
  static DIR *(*real)(const char *);
  const char *recorder = getenv("VOICELATCH_TEST_CHIP");
  char instead[PATH_MAX];
  if (real == NULL) real = dlsym(RTLD_NEXT, "opendir");
  if (recorder != NULL && strcmp(path, "/dev") == 0) {
    int length = strrchr(recorder, '/') - recorder;
    snprintf(instead, sizeof instead, "%.*s/dev", length, recorder);
    path = instead;
  }
  return real(path);
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    static int (*real)(const char *, int, ...);                           \
    int fd;                                                               \
    mode_t mode = 0;                                                      \
    if (imitated(path, &fd)) return fd;                                   \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                \
      va_list given;                                                      \
      va_start(given, flags);                                             \
      mode = va_arg(given, mode_t);                                       \
      va_end(given);                                                      \
    }                                                                     \
    if (real == NULL) real = dlsym(RTLD_NEXT, #name);                     \
    return real(path, flags, mode);                                       \
  }
OPEN(open)
OPEN(open64)

static int request_line(int chip, struct gpio_v2_line_request *wanted) {
  unsigned long long levels = 0;
  int out = (wanted->config.flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0;
  if (wanted->num_lines != 1) { errno = EINVAL; return -1; }
  for (unsigned each = 0; each < wanted->config.num_attrs; each++)
    if (wanted->config.attrs[each].attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
      levels = wanted->config.attrs[each].attr.values;
  int fd = reach_recorder(LINE);
  if (fd < 0) return -1;
  offsets[fd] = wanted->offsets[0];
  numbers[fd] = numbers[chip];
  if (ask(fd, "claim %u %u %s %d", numbers[fd], offsets[fd], out ? "out" : "in", (int)(levels & 1)) < 0) {
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
  }
  wanted->fd = fd;
  if (wanted->config.flags & (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING)) {
    wanted->fd = eventfd(0, EFD_CLOEXEC);
    if (wanted->fd < 0 || wanted->fd >= MAX_FD) return -1;
    kinds[wanted->fd] = LINE;
    watched[wanted->fd] = fd;
    numbers[wanted->fd] = numbers[fd];
    offsets[wanted->fd] = offsets[fd];
  }
  return 0;
}

static int chip_ioctl(int fd, unsigned long request, void *given) {
  struct gpiochip_info *chip = given;
  struct gpio_v2_line_info *line = given;
  unsigned offset;
  long out;
  switch (request) {
    case GPIO_GET_CHIPINFO_IOCTL:
      if ((out = ask(fd, "info %u", numbers[fd])) < 0) return -1;
      memset(chip, 0, sizeof *chip);
      chip->lines = out;
      return sscanf(answer_text, "%31s %31s", chip->name, chip->label) == 2 ? 0 : -1;
    case GPIO_V2_GET_LINEINFO_IOCTL:
      offset = line->offset;
      if ((out = ask(fd, "direction %u %u", numbers[fd], offset)) < 0) return -1;
      memset(line, 0, sizeof *line);
      line->offset = offset;
      line->flags = out ? GPIO_V2_LINE_FLAG_OUTPUT : GPIO_V2_LINE_FLAG_INPUT;
      return 0;
    case GPIO_V2_GET_LINE_IOCTL:
      return request_line(fd, given);
  }
  errno = ENOTTY;
  return -1;
}

static int line_ioctl(int fd, unsigned long request, void *given) {
  struct gpio_v2_line_values *values = given;
  long level;
  if (watched[fd] != 0) fd = watched[fd];
  switch (request) {
    case GPIO_V2_LINE_SET_VALUES_IOCTL:
      return ask(fd, "set %u %u %d", numbers[fd], offsets[fd], (int)(values->bits & 1)) < 0 ? -1 : 0;
    case GPIO_V2_LINE_GET_VALUES_IOCTL:
      if ((level = ask(fd, "get %u %u", numbers[fd], offsets[fd])) < 0) return -1;
      values->bits = level;
      return 0;
  }
  errno = ENOTTY;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
  va_list arguments;
  va_start(arguments, request);
  void *given = va_arg(arguments, void *);
  va_end(arguments);
  if (kind_of(fd) == CHIP) return chip_ioctl(fd, request, given);
  if (kind_of(fd) == LINE) return line_ioctl(fd, request, given);
  if (real == NULL) real = dlsym(RTLD_NEXT, "ioctl");
  return real(fd, request, given);
}

int close(int fd) {
  static int (*real)(int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < MAX_FD) {
    kinds[fd] = FOREIGN;
    if (watched[fd] != 0) real(watched[fd]);
    watched[fd] = 0;
  }
  return real(fd);
}
