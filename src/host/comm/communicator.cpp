#include "sojourn/communicator.hpp"

#include <algorithm>
#include <cstring>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr int kLargestTag = 32767;  // what every MPI allows
/// A vote carries this much of a rank's text.
constexpr std::size_t kVoteBytes = 1024;

/// One rank: everything it sends comes back to it.
class SerialCommunicator final : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] std::string name() const override { return "serial"; }
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override { return make_serial_communicator(); }
  void barrier() override {}

 protected:
  void all_gather_bytes(Bytes own, MutableBytes all) override { std::ranges::copy(own, all.begin()); }
  void all_to_all_bytes(Bytes blocks, MutableBytes received) override { std::ranges::copy(blocks, received.begin()); }
  void broadcast_bytes(MutableBytes, int) override {}
  void gather_bytes(Bytes own, MutableBytes all, int) override { std::ranges::copy(own, all.begin()); }
  void scatter_bytes(Bytes blocks, MutableBytes own, int) override { std::ranges::copy(blocks, own.begin()); }
  void reduce_elements(Scope, const void* own, void* result, std::size_t num_elements, ElementType type, Reduction,
                       int) override {
    if (num_elements > 0) std::memcpy(result, own, num_elements * size_of_element(type));
  }
  void send_bytes(Bytes, int, int) override { refuse(); }
  void receive_bytes(MutableBytes, int, int) override { refuse(); }
  void send_receive_bytes(Bytes values, int, MutableBytes received, int, int) override {
    SOJOURN_EXPECTS(values.size() == received.size(), CommError,
                    "send_receive of rank 0 with itself: {} bytes are sent and {} are awaited", values.size(),
                    received.size());
    std::ranges::copy(values, received.begin());
  }

 private:
  [[noreturn]] static void refuse() {
    throw CommError("one rank cannot wait for a message from itself; use send_receive");
  }
};

}  // namespace

const char* to_string(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return "sum";
    case Reduction::kProduct:
      return "product";
    case Reduction::kMin:
      return "min";
    case Reduction::kMax:
      return "max";
  }
  return "unknown";
}

void Communicator::expect_rank(int rank, const char* call, const char* role) const {
  SOJOURN_EXPECTS(rank >= 0 && rank < size(), UsageError, "{}: {} {} must be a rank, 0..{}", call, role, rank,
                  size() - 1);
}

void Communicator::expect_blocks(std::size_t num_elements, const char* call) const {
  SOJOURN_EXPECTS(num_elements % count() == 0, ShapeError, "{}: {} elements do not make {} blocks of equal size", call,
                  num_elements, size());
}

void Communicator::expect_tag(int tag, const char* call) {
  SOJOURN_EXPECTS(tag >= 0 && tag <= kLargestTag, UsageError, "{}: tag {} must lie in 0..{}", call, tag, kLargestTag);
}

std::unique_ptr<Communicator> make_serial_communicator() { return std::make_unique<SerialCommunicator>(); }

void vote(Communicator& communicator, const std::string& failure) {
  // Ranks that are well pay for one number; the text travels only where there is one.
  const std::int32_t own = failure.empty() ? communicator.size() : communicator.rank();
  const std::int32_t first = communicator.all_reduce(std::span(&own, 1), Reduction::kMin)[0];
  if (first == communicator.size()) return;
  std::vector<char> text(kVoteBytes, '\0');
  std::copy_n(failure.begin(), std::min(failure.size(), kVoteBytes - 1), text.begin());
  text = communicator.broadcast(std::span<const char>(text), first);
  throw CommError(fmt::format("rank {}: {}", first, text.data()));
}

void expect_same_everywhere(Communicator& communicator, const char* what, const std::string& digest) {
  constexpr std::size_t kDigestBytes = 64;
  SOJOURN_EXPECTS(digest.size() <= kDigestBytes, UsageError, "digest of the {}: {} characters; at most {}", what,
                  digest.size(), kDigestBytes);
  std::vector<char> own(kDigestBytes, '\0');
  std::ranges::copy(digest, own.begin());
  const std::vector<char> all = communicator.all_gather(std::span<const char>(own));
  for (int rank = 1; rank < communicator.size(); ++rank) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(rank * kDigestBytes);
    SOJOURN_EXPECTS(std::equal(begin, begin + kDigestBytes, all.begin()), CommError,
                    "{} hash differs: rank {} has {}, rank 0 has {}; start all ranks with the same files and version",
                    what, rank, std::string_view(&*begin, strnlen(&*begin, kDigestBytes)),
                    std::string_view(all.data(), strnlen(all.data(), kDigestBytes)));
  }
}

}  // namespace sojourn
