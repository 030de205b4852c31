#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "expects.hpp"
#include "sojourn/distributed.hpp"

namespace sojourn {
namespace {

using Clock = std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int family) : id_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (id_ >= 0) ::close(id_);
  }
  [[nodiscard]] int id() const { return id_; }

 private:
  int id_;
};

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const CoordinatorAddress& coordinator, std::string& fault) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(coordinator.host.c_str(), std::to_string(coordinator.port).c_str(), &wanted, &found);
  if (status != 0) fault = ::gai_strerror(status);
  return {status == 0 ? found : nullptr, &::freeaddrinfo};
}

/// 0, or the errno of one attempt to connect within `milliseconds`.
int try_to_connect(const addrinfo& address, int milliseconds) {
  const Socket socket(address.ai_family);
  if (socket.id() < 0) return errno;
  if (::connect(socket.id(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready{socket.id(), POLLOUT, 0};
  const int count = ::poll(&ready, 1, milliseconds);
  if (count == 0) return ETIMEDOUT;
  if (count < 0) return errno;
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket.id(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

/// A socket that listens on all interfaces, or -1 with errno set.
int listening_socket(int family, int port) {
  const int id = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (id < 0) return -1;
  const int on = 1;
  ::setsockopt(id, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (family == AF_INET6) {
    auto* const address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(static_cast<std::uint16_t>(port));
    ::setsockopt(id, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    length = sizeof *address;
  } else {
    auto* const address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(static_cast<std::uint16_t>(port));
    length = sizeof *address;
  }
  if (::bind(id, reinterpret_cast<const sockaddr*>(&storage), length) == 0 && ::listen(id, SOMAXCONN) == 0) return id;
  const int error = errno;
  ::close(id);
  errno = error;
  return -1;
}

int other_port(int port) { return port < 65535 ? port + 1 : 12345; }

}  // namespace

CoordinatorListener::CoordinatorListener(const CoordinatorAddress& coordinator) {
  sockets_[0] = listening_socket(AF_INET, coordinator.port);
  int error = sockets_[0] < 0 ? errno : 0;
  if (error == 0) {
    // A machine without the sixth version of IP is none the worse for it.
    sockets_[1] = listening_socket(AF_INET6, coordinator.port);
    if (sockets_[1] < 0 && errno == EADDRINUSE) error = errno;
  }
  if (error == 0) return;
  if (sockets_[0] >= 0) ::close(sockets_[0]);
  throw CommError(fmt::format(
      "coordinator {}: the port cannot be taken on this machine ({}); set SOJOURN_COORDINATOR_PORT to a free "
      "one, such as {}, on all ranks",
      coordinator.text(), std::strerror(error), other_port(coordinator.port)));
}

CoordinatorListener::~CoordinatorListener() {
  for (const int id : sockets_) {
    if (id >= 0) ::close(id);
  }
}

void expect_coordinator_answers(const CoordinatorAddress& coordinator, double seconds) {
  constexpr auto kPause = std::chrono::milliseconds(50);
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::string fault;
  do {
    const Addresses addresses = resolve(coordinator, fault);
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
      const int error = try_to_connect(*address, static_cast<int>(std::clamp<std::int64_t>(left, 1, 1 << 30)));
      if (error == 0) return;
      fault = std::strerror(error);
    }
    std::this_thread::sleep_for(std::min<Clock::duration>(kPause, std::max(Clock::duration(0), end - Clock::now())));
  } while (Clock::now() < end);
  throw CommError(fmt::format(
      "coordinator {}: no answer within {:g} s ({}); see that rank 0 runs there and no firewall closes the port (try "
      "SOJOURN_COORDINATOR_PORT={}); on nodes with several networks set SOJOURN_COORDINATOR_ADDRESS to the name or "
      "address of the interface that all nodes share, as ip -brief address lists them",
      coordinator.text(), seconds, fault, other_port(coordinator.port)));
}

}  // namespace sojourn
