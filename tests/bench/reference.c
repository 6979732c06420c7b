/*
 * The practical ceiling of this set-up: an NBD server that does nothing but serve. It spins on
 * recv(2), reads a raw image with pread(2) and answers all requests of one recv with one send.
 * One thread for each client, no checks: for the benchmark only. Protocol: the NBD project's proto.md.
 *
 * usage: reference SOCKET IMAGE
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_BYTES 28
#define REPLY_BYTES 16
#define IN_BYTES (34u << 20)
#define OUT_BYTES (36u << 20)
#define SEND_AT_BYTES (512u << 10)
#define SPINS 2000

static __thread char *in, *out;
static int image;
static uint64_t image_bytes;

static void get(int client, void *to, size_t bytes) {
  for (char *at = to; bytes > 0;) {
    ssize_t n = recv(client, at, bytes, 0);
    if (n <= 0) pthread_exit(NULL);
    at += n, bytes -= n;
  }
}

static void put(int client, const void *from, size_t bytes) {
  for (const char *at = from; bytes > 0;) {
    ssize_t n = send(client, at, bytes, MSG_NOSIGNAL);
    if (n <= 0) pthread_exit(NULL);
    at += n, bytes -= n;
  }
}

static void answer(int client, uint32_t option, uint32_t type, const void *data, uint32_t bytes) {
  char head[20];
  *(uint64_t *)head = htobe64(0x3e889045565a9ULL);
  *(uint32_t *)(head + 8) = htobe32(option);
  *(uint32_t *)(head + 12) = htobe32(type);
  *(uint32_t *)(head + 16) = htobe32(bytes);
  put(client, head, sizeof head);
  put(client, data, bytes);
}

/* NBD_OPT_GO (7) is all that clients need; every other option is not supported. */
static void shake_hands(int client) {
  uint32_t flags, head[4];
  put(client, "NBDMAGICIHAVEOPT\0\3", 18);
  get(client, &flags, 4);
  for (;;) {
    get(client, head, 16);
    get(client, in, be32toh(head[3]));
    if (be32toh(head[2]) != 7) {
      answer(client, be32toh(head[2]), 0x80000001, NULL, 0);
      continue;
    }
    char info[12] = {0};
    *(uint64_t *)(info + 2) = htobe64(image_bytes);
    *(uint16_t *)(info + 10) = htobe16(1 | 4 | 8 | 256);
    answer(client, 7, 3, info, sizeof info);
    answer(client, 7, 1, NULL, 0);
    return;
  }
}

/* Receives what there is, asking a while before it sleeps. */
static size_t receive(int client, size_t have) {
  for (int spin = 0; spin < SPINS; spin++) {
    ssize_t n = recv(client, in + have, IN_BYTES - have, MSG_DONTWAIT);
    if (n > 0) return n;
    if (n == 0 || errno != EAGAIN) pthread_exit(NULL);
  }
  ssize_t n = recv(client, in + have, IN_BYTES - have, 0);
  if (n <= 0) pthread_exit(NULL);
  return n;
}

static void serve(int client) {
  for (size_t have = 0;;) {
    have += receive(client, have);
    size_t used = 0, filled = 0;
    while (have - used >= REQUEST_BYTES) {
      const char *request = in + used;
      uint16_t type = be16toh(*(uint16_t *)(request + 6));
      uint64_t offset = be64toh(*(uint64_t *)(request + 16));
      uint32_t length = be32toh(*(uint32_t *)(request + 24));
      if (type == 2) return;
      if (type == 1 && have - used < REQUEST_BYTES + length) break;
      char *reply = out + filled;
      *(uint32_t *)reply = htobe32(0x67446698);
      *(uint32_t *)(reply + 4) = 0;
      memcpy(reply + 8, request + 8, 8);
      filled += REPLY_BYTES, used += REQUEST_BYTES;
      if (type == 0) filled += pread(image, reply + REPLY_BYTES, length, offset);
      if (type == 1 && pwrite(image, in + used, length, offset) < 0) exit(1);
      if (type == 1) used += length;
      if (type == 3) fdatasync(image);
      if (filled >= SEND_AT_BYTES) put(client, out, filled), filled = 0;
    }
    memmove(in, in + used, have - used);
    have -= used;
    if (filled > 0) put(client, out, filled);
  }
}

static void *run(void *argument) {
  int client = (intptr_t)argument;
  in = malloc(IN_BYTES), out = malloc(OUT_BYTES);
  shake_hands(client);
  serve(client);
  close(client);
  free(in), free(out);
  return NULL;
}

int main(int count, char **words) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat status;
  if (count != 3) return 1;
  image = open(words[2], O_RDWR);
  if (image < 0 || fstat(image, &status)) return 1;
  image_bytes = status.st_size;
  strncpy(address.sun_path, words[1], sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 16)) return 1;
  for (;;) {
    int client = accept(listener, NULL, NULL);
    pthread_t thread;
    if (client < 0) return 1;
    int send_buffer = 1 << 20;
    setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
    if (pthread_create(&thread, NULL, run, (void *)(intptr_t)client)) return 1;
    pthread_detach(thread);
  }
}
