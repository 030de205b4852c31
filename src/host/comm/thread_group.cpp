#include "comm/thread_group.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "expects.hpp"

namespace sojourn {
namespace {

/// What a rank came to do; the same on all ranks of one collective call.
struct Deed {
  const char* call = "";
  std::size_t bytes = 0;
  int root = 0;
  int detail = 0;  ///< scope, type and reduction
  bool operator==(const Deed& other) const {
    return std::strcmp(call, other.call) == 0 && bytes == other.bytes && root == other.root && detail == other.detail;
  }
  [[nodiscard]] std::string describe() const {
    return fmt::format("{} of {} bytes, root {}, kind {}", call, bytes, root, detail);
  }
};

/// What all boards of a group share: who has left, and the wait for anything to change.
struct Group {
  explicit Group(int num_ranks) : has_left(num_ranks, 0) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<char> has_left;
  int first_failed = -1;

  /// A rank is done, well or not. @return whether it is the first that failed.
  bool leave(int rank, bool failed) {
    const std::lock_guard lock(mutex);
    has_left[rank] = 1;
    changed.notify_all();
    if (!failed || first_failed >= 0) return false;
    first_failed = rank;
    return true;
  }
  /// The rank without which nobody can go on: one that failed, else one that is done; -1 where all are there.
  [[nodiscard]] int missing() const {
    if (first_failed >= 0) return first_failed;
    const auto found = std::ranges::find(has_left, 1);
    return found == has_left.end() ? -1 : static_cast<int>(found - has_left.begin());
  }
};

/// What the ranks of one communicator share.
class Board {
 public:
  explicit Board(std::shared_ptr<Group> group)
      : group_(std::move(group)), deeds_(group_->has_left.size()), inputs_(group_->has_left.size()) {}

  [[nodiscard]] int size() const { return static_cast<int>(inputs_.size()); }

  /// Shows every rank's input to all: `read(inputs)` runs on each between two meetings.
  template <class Read>
  void together(int rank, const Deed& deed, const void* input, Read&& read) {
    deeds_[rank] = deed;
    inputs_[rank] = static_cast<const std::byte*>(input);
    meet();
    // Every rank comes to the same verdict, so none is left waiting.
    for (int other = 1; other < size(); ++other) {
      SOJOURN_EXPECTS(deeds_[other] == deeds_[0], CommError, "ranks disagree: rank {} is at {}, rank 0 at {}", other,
                      deeds_[other].describe(), deeds_[0].describe());
    }
    read(inputs_);
    meet();
  }

  void put(int from, int to, int tag, std::span<const std::byte> message) {
    const std::lock_guard lock(group_->mutex);
    mail_[{from, to, tag}].emplace_back(message.begin(), message.end());
    group_->changed.notify_all();
  }
  std::vector<std::byte> take(int from, int to, int tag) {
    std::unique_lock lock(group_->mutex);
    auto& box = mail_[{from, to, tag}];
    group_->changed.wait(lock, [&] { return !box.empty() || group_->has_left[from] || group_->first_failed >= 0; });
    if (box.empty()) throw_missing(group_->first_failed >= 0 ? group_->first_failed : from);
    std::vector<std::byte> message = std::move(box.front());
    box.pop_front();
    return message;
  }

  /// The board that the next call of `duplicate` on each rank shares.
  std::shared_ptr<Board> next_board(int rank) {
    std::shared_ptr<Board> board;
    if (rank == 0) fresh_ = std::make_shared<Board>(group_);
    together(rank, {"duplicate"}, nullptr, [&](const auto&) { board = fresh_; });
    return board;
  }

 private:
  void meet() {
    std::unique_lock lock(group_->mutex);
    const std::int64_t round = round_;
    if (++num_waiting_ == size()) {
      num_waiting_ = 0;
      ++round_;
      group_->changed.notify_all();
      return;
    }
    group_->changed.wait(lock, [&] { return round_ != round || group_->missing() >= 0; });
    if (round_ == round) throw_missing(group_->missing());
  }
  [[noreturn]] static void throw_missing(int rank) { throw CommError(fmt::format("rank {} has ended", rank)); }

  std::shared_ptr<Group> group_;
  int num_waiting_ = 0;
  std::int64_t round_ = 0;
  std::vector<Deed> deeds_;
  std::vector<const std::byte*> inputs_;
  std::map<std::tuple<int, int, int>, std::deque<std::vector<std::byte>>> mail_;
  std::shared_ptr<Board> fresh_;
};

template <class T>
void combine(T* result, const T* other, std::size_t count, Reduction reduction) {
  for (std::size_t i = 0; i < count; ++i) {
    switch (reduction) {
      case Reduction::kSum:
        result[i] += other[i];
        break;
      case Reduction::kProduct:
        result[i] *= other[i];
        break;
      case Reduction::kMin:
        result[i] = std::min(result[i], other[i]);
        break;
      case Reduction::kMax:
        result[i] = std::max(result[i], other[i]);
        break;
    }
  }
}

template <class T>
void reduce_ranks(std::span<const std::byte* const> inputs, int num_ranks, void* result, std::size_t count,
                  Reduction reduction) {
  T* const values = static_cast<T*>(result);
  std::copy_n(reinterpret_cast<const T*>(inputs[0]), count, values);
  for (int rank = 1; rank < num_ranks; ++rank)
    combine(values, reinterpret_cast<const T*>(inputs[rank]), count, reduction);
}

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Board> board, int rank) : board_(std::move(board)), rank_(rank) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return board_->size(); }
  [[nodiscard]] std::string name() const override { return "threads"; }
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override {
    return std::make_unique<ThreadCommunicator>(board_->next_board(rank_), rank_);
  }
  void barrier() override {
    board_->together(rank_, {"barrier"}, nullptr, [](const auto&) {});
  }

 protected:
  void all_gather_bytes(Bytes own, MutableBytes all) override {
    board_->together(rank_, {"all_gather", own.size()}, own.data(),
                     [&](const auto& inputs) { copy_all(inputs, own.size(), 0, all); });
  }
  void all_to_all_bytes(Bytes blocks, MutableBytes received) override {
    const std::size_t block = blocks.size() / inputs_count();
    board_->together(rank_, {"all_to_all", blocks.size()}, blocks.data(), [&](const auto& inputs) {
      copy_all(inputs, block, block * static_cast<std::size_t>(rank_), received);
    });
  }
  void broadcast_bytes(MutableBytes values, int root) override {
    board_->together(rank_, {"broadcast", values.size(), root}, values.data(), [&](const auto& inputs) {
      if (rank_ != root && !values.empty()) std::copy_n(inputs[root], values.size(), values.data());
    });
  }
  void gather_bytes(Bytes own, MutableBytes all, int root) override {
    board_->together(rank_, {"gather", own.size(), root}, own.data(), [&](const auto& inputs) {
      if (rank_ == root) copy_all(inputs, own.size(), 0, all);
    });
  }
  void scatter_bytes(Bytes blocks, MutableBytes own, int root) override {
    board_->together(rank_, {"scatter", own.size(), root}, blocks.data(), [&](const auto& inputs) {
      if (!own.empty())
        std::copy_n(inputs[root] + own.size() * static_cast<std::size_t>(rank_), own.size(), own.data());
    });
  }
  void reduce_elements(Scope scope, const void* own, void* result, std::size_t num_elements, ElementType type,
                       Reduction reduction, int root) override {
    const int detail = 100 * static_cast<int>(scope) + 10 * static_cast<int>(type) + static_cast<int>(reduction);
    board_->together(rank_, {"reduce", num_elements, root, detail}, own, [&](const auto& inputs) {
      if ((scope == Scope::kRoot && rank_ != root) || num_elements == 0) return;
      const int num_ranks = scope == Scope::kUpToRank ? rank_ + 1 : size();
      switch (type) {
        case ElementType::kInt32:
          return reduce_ranks<std::int32_t>(inputs, num_ranks, result, num_elements, reduction);
        case ElementType::kInt64:
          return reduce_ranks<std::int64_t>(inputs, num_ranks, result, num_elements, reduction);
        case ElementType::kUint64:
          return reduce_ranks<std::uint64_t>(inputs, num_ranks, result, num_elements, reduction);
        case ElementType::kFloat:
          return reduce_ranks<float>(inputs, num_ranks, result, num_elements, reduction);
        case ElementType::kDouble:
          return reduce_ranks<double>(inputs, num_ranks, result, num_elements, reduction);
      }
    });
  }
  void send_bytes(Bytes values, int to, int tag) override { board_->put(rank_, to, tag, values); }
  void receive_bytes(MutableBytes values, int from, int tag) override {
    const std::vector<std::byte> message = board_->take(from, rank_, tag);
    SOJOURN_EXPECTS(message.size() == values.size(), CommError,
                    "rank {}: a message of {} bytes from rank {} with tag {} where {} were awaited", rank_,
                    message.size(), from, tag, values.size());
    std::ranges::copy(message, values.begin());
  }
  void send_receive_bytes(Bytes values, int to, MutableBytes received, int from, int tag) override {
    send_bytes(values, to, tag);
    receive_bytes(received, from, tag);
  }

 private:
  [[nodiscard]] std::size_t inputs_count() const { return static_cast<std::size_t>(board_->size()); }
  static void copy_all(const std::vector<const std::byte*>& inputs, std::size_t block, std::size_t offset,
                       MutableBytes all) {
    if (block == 0) return;
    for (std::size_t r = 0; r < inputs.size(); ++r) std::copy_n(inputs[r] + offset, block, all.data() + r * block);
  }

  std::shared_ptr<Board> board_;
  int rank_;
};

}  // namespace

void run_thread_ranks(int num_ranks, const std::function<void(Communicator&)>& body) {
  SOJOURN_EXPECTS(num_ranks >= 1, UsageError, "{} ranks; must be at least 1", num_ranks);
  const auto group = std::make_shared<Group>(num_ranks);
  const auto board = std::make_shared<Board>(group);
  std::exception_ptr first_failure;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < num_ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(board, rank);
      try {
        body(communicator);
        group->leave(rank, false);
      } catch (...) {
        if (group->leave(rank, true)) first_failure = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first_failure) std::rethrow_exception(first_failure);
}

}  // namespace sojourn
