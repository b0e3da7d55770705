#include "container/child/zygote_loop.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "container/child/reaper.h"
#include "container/child/sandbox.h"
#include "container/zygote_protocol.h"

namespace hearth::container {
namespace {

sock_filter filter_instructions[kMaxSeccompInstructions];
sock_fprog filter{0, filter_instructions};

struct Received {
  SpawnRequest request;
  int fds[kRequestFdsV2] = {-1, -1, -1, -1};
  int fd_count = 0;
};

void close_all(const Received& received) {
  for (int i = 0; i < received.fd_count; ++i) close(received.fds[i]);
}

bool load_filter() {
  ssize_t size = pread(kSeccompProgram, filter_instructions, sizeof(filter_instructions), 0);
  if (size <= 0 || size % static_cast<ssize_t>(sizeof(sock_filter)) != 0) return false;
  filter.len = static_cast<unsigned short>(static_cast<size_t>(size) / sizeof(sock_filter));
  return true;
}

bool receive_request(Received& received) {
  iovec vector{&received.request, sizeof(received.request)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(received.fds))];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t got = -1;
  do {
    got = recvmsg(kZygoteSocket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  cmsghdr* c = got > 0 ? CMSG_FIRSTHDR(&header) : nullptr;
  if (c != nullptr && c->cmsg_type == SCM_RIGHTS) {
    received.fd_count = static_cast<int>((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(received.fds, CMSG_DATA(c), static_cast<size_t>(received.fd_count) * sizeof(int));
  }
  return got == static_cast<ssize_t>(sizeof(received.request)) && received.request.magic == kSpawnMagic &&
         received.fd_count >= kRequestFds;
}

void send_reply(const Received& received, long pid, int pidfd, int error) {
  SpawnReply reply{received.request.serial, static_cast<int32_t>(pid < 0 ? 0 : pid), error};
  iovec vector{&reply, sizeof(reply)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (error == 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &pidfd, sizeof(int));
  }
  // A warden that is gone closes the socket: the next receive ends the loop.
  (void)sendmsg(kZygoteSocket, &header, MSG_NOSIGNAL);
}

// CLONE_PARENT makes the warden the parent: it waits for the container, and the zygote never has a child.
long clone_container(const Received& received, int* pidfd) {
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PARENT | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(pidfd);
  if (received.fd_count >= kRequestFdsV2) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(received.fds[3]);
  }
  return syscall(SYS_clone3, &args, sizeof(args));
}

// A datagram of the control socket; its whole size, also where that is more than fits.
ssize_t receive(char* buffer, unsigned long size) {
  ssize_t got = -1;
  do {
    got = recv(kControlSocket, buffer, size, MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  return got;
}

// True in the new shim.
bool spawn(const Received& received, const ForkHooks& hooks) {
  if (setns(received.fds[0], CLONE_NEWNET) != 0) {
    send_reply(received, -1, -1, errno);
    return false;
  }
  if (hooks.before != nullptr) hooks.before();
  int pidfd = -1;
  long pid = clone_container(received, &pidfd);
  int error = pid < 0 ? errno : 0;
  if (pid == 0) {
    enter_sandbox({received.fds[1], received.fds[2], received.request, &filter});
    become_init();
    if (hooks.after_in_shim != nullptr) hooks.after_in_shim();
    return true;
  }
  if (hooks.after_in_zygote != nullptr) hooks.after_in_zygote();
  // Staying would keep the container's network namespace alive for ever.
  if (setns(kHomeNetwork, CLONE_NEWNET) != 0) _exit(1);
  send_reply(received, pid, pidfd, error);
  if (pidfd >= 0) close(pidfd);
  return false;
}

}  // namespace

bool serve_zygote(const ForkHooks& hooks) {
  if (!load_filter()) return false;
  if (send(kZygoteSocket, kZygoteHello.data(), kZygoteHello.size(), MSG_NOSIGNAL) < 0) return false;
  for (;;) {
    Received received;
    if (!receive_request(received)) {
      close_all(received);
      return false;
    }
    if (spawn(received, hooks)) return true;
    close_all(received);
  }
}

bool say_ready() {
  constexpr std::string_view kReady = "{\"ready\":1}";
  return send(kControlSocket, kReady.data(), kReady.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kReady.size());
}

long wait_for_start(char* buffer, unsigned long size) {
  ssize_t got = receive(buffer, size);
  return got <= 0 || static_cast<unsigned long>(got) > size ? 0 : got;
}

bool wait_until_placed() {
  char word[16];
  ssize_t got = receive(word, sizeof(word));
  close(kControlSocket);
  return got == static_cast<ssize_t>(kPlaced.size()) && memcmp(word, kPlaced.data(), kPlaced.size()) == 0;
}

}  // namespace hearth::container
