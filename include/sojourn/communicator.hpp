#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "sojourn/error.hpp"

namespace sojourn {

enum class Reduction : std::uint8_t { kSum, kProduct, kMin, kMax };
const char* to_string(Reduction reduction);

/// Number types that reductions know.
enum class ElementType : std::uint8_t { kInt32, kInt64, kUint64, kFloat, kDouble };
template <class T>
inline constexpr ElementType kElementType = [] {
  if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ElementType::kUint64;
  if constexpr (std::is_same_v<T, float>) return ElementType::kFloat;
  if constexpr (std::is_same_v<T, double>) return ElementType::kDouble;
}();

/// Bytes of one element.
constexpr std::size_t size_of_element(ElementType type) {
  return type == ElementType::kInt32 || type == ElementType::kFloat ? 4 : 8;
}

/// What communication took on one rank, waiting for the other ranks included. Bytes are those that the rank gave or
/// got, whichever was more in a call.
struct CommCost {
  std::int64_t num_calls = 0, bytes = 0;
  double seconds = 0;
};

/// What ranks say to each other. One object per rank; every rank of a communicator makes the same calls in the same
/// order, with the same extents where nothing else is said, each from one thread at a time.
///
/// Elements are trivially copyable. Inputs are never changed: what is received comes back as a new array, but for
/// `broadcast_in_place`. A call returns on a rank once its own part is done, which for `barrier` and everything with a
/// result from all ranks means that all have come. All members: @throws CommError naming rank and call where ranks
/// disagree, one has ended, or the library below fails; UsageError for a rank outside the communicator.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// "serial", "threads", "mpi".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Whether what is sent and received may lie in the memory of a CUDA device.
  [[nodiscard]] virtual bool takes_device_memory() const { return false; }
  /// A communicator of the same ranks whose messages never meet those of this one. All ranks call it.
  [[nodiscard]] virtual std::unique_ptr<Communicator> duplicate() = 0;

  virtual void barrier() = 0;

  /// Every rank's elements, in the order of ranks. [size * own.size()]
  template <class T>
  std::vector<T> all_gather(std::span<const T> own) {
    std::vector<T> all(own.size() * count());
    all_gather_bytes(bytes(own), writable(all));
    return all;
  }
  /// Block r of `blocks` [size * n] goes to rank r; block r of the result came from rank r.
  template <class T>
  std::vector<T> all_to_all(std::span<const T> blocks) {
    expect_blocks(blocks.size(), "all_to_all");
    std::vector<T> received(blocks.size());
    all_to_all_bytes(bytes(blocks), writable(received));
    return received;
  }
  /// The root's elements; the other ranks' give the extent alone.
  template <class T>
  std::vector<T> broadcast(std::span<const T> values, int root) {
    expect_rank(root, "broadcast", "root");
    std::vector<T> received(values.begin(), values.end());
    broadcast_bytes(writable(received), root);
    return received;
  }
  /// The same without a second array, for large ones: `values` are overwritten where the rank is not the root.
  template <class T>
  void broadcast_in_place(std::span<T> values, int root) {
    static_assert(std::is_trivially_copyable_v<T>);
    expect_rank(root, "broadcast", "root");
    broadcast_bytes(std::as_writable_bytes(values), root);
  }
  /// On the root every rank's elements, in the order of ranks; empty elsewhere.
  template <class T>
  std::vector<T> gather(std::span<const T> own, int root) {
    expect_rank(root, "gather", "root");
    std::vector<T> all(rank() == root ? own.size() * count() : 0);
    gather_bytes(bytes(own), writable(all), root);
    return all;
  }
  /// Block r of the root's `blocks` [size * n] on rank r. `blocks` is read on the root alone; n is told everywhere.
  template <class T>
  std::vector<T> scatter(std::span<const T> blocks, std::size_t num_elements, int root) {
    expect_rank(root, "scatter", "root");
    if (rank() == root && blocks.size() != num_elements * count())
      throw ShapeError("scatter: " + std::to_string(blocks.size()) + " elements for " + std::to_string(size()) +
                       " ranks; must be " + std::to_string(num_elements * count()));
    std::vector<T> own(num_elements);
    scatter_bytes(bytes(blocks), writable(own), root);
    return own;
  }
  /// Element by element over all ranks. Sums of doubles are the same bits on every rank; they are exact, and thereby
  /// the same for every number of ranks, where at most one rank's element is not zero.
  template <class T>
  std::vector<T> all_reduce(std::span<const T> own, Reduction reduction) {
    std::vector<T> result(own.size());
    reduce_elements(Scope::kAll, own.data(), result.data(), own.size(), kElementType<T>, reduction, 0);
    return result;
  }
  /// The same on the root alone; empty elsewhere.
  template <class T>
  std::vector<T> reduce(std::span<const T> own, Reduction reduction, int root) {
    expect_rank(root, "reduce", "root");
    std::vector<T> result(rank() == root ? own.size() : 0);
    reduce_elements(Scope::kRoot, own.data(), result.data(), own.size(), kElementType<T>, reduction, root);
    return result;
  }
  /// Over the ranks 0..rank().
  template <class T>
  std::vector<T> scan(std::span<const T> own, Reduction reduction) {
    std::vector<T> result(own.size());
    reduce_elements(Scope::kUpToRank, own.data(), result.data(), own.size(), kElementType<T>, reduction, 0);
    return result;
  }
  /// Sends to one rank, which has to `receive` as many elements with this tag (0..32767).
  template <class T>
  void send(std::span<const T> values, int to, int tag = 0) {
    expect_rank(to, "send", "receiver");
    expect_tag(tag, "send");
    send_bytes(bytes(values), to, tag);
  }
  template <class T>
  std::vector<T> receive(std::size_t num_elements, int from, int tag = 0) {
    expect_rank(from, "receive", "sender");
    expect_tag(tag, "receive");
    std::vector<T> values(num_elements);
    receive_bytes(writable(values), from, tag);
    return values;
  }
  /// Both at once, so that two ranks that exchange do not wait for each other.
  template <class T>
  std::vector<T> send_receive(std::span<const T> values, int to, std::size_t num_elements, int from, int tag = 0) {
    expect_rank(to, "send_receive", "receiver");
    expect_rank(from, "send_receive", "sender");
    expect_tag(tag, "send_receive");
    std::vector<T> received(num_elements);
    send_receive_bytes(bytes(values), to, writable(received), from, tag);
    return received;
  }

 protected:
  friend class WrappedCommunicator;
  friend class DirectDeviceCommunicator;  // gives these calls pointers of a device
  enum class Scope : std::uint8_t { kAll, kRoot, kUpToRank };
  using Bytes = std::span<const std::byte>;
  using MutableBytes = std::span<std::byte>;

  virtual void all_gather_bytes(Bytes own, MutableBytes all) = 0;
  virtual void all_to_all_bytes(Bytes blocks, MutableBytes received) = 0;
  virtual void broadcast_bytes(MutableBytes values, int root) = 0;
  virtual void gather_bytes(Bytes own, MutableBytes all, int root) = 0;
  virtual void scatter_bytes(Bytes blocks, MutableBytes own, int root) = 0;
  virtual void reduce_elements(Scope scope, const void* own, void* result, std::size_t num_elements, ElementType type,
                               Reduction reduction, int root) = 0;
  virtual void send_bytes(Bytes values, int to, int tag) = 0;
  virtual void receive_bytes(MutableBytes values, int from, int tag) = 0;
  virtual void send_receive_bytes(Bytes values, int to, MutableBytes received, int from, int tag) = 0;

 private:
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(size()); }
  template <class T>
  static Bytes bytes(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(values);
  }
  template <class T>
  static MutableBytes writable(std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_writable_bytes(std::span(values));
  }
  void expect_rank(int rank, const char* call, const char* role) const;
  void expect_blocks(std::size_t num_elements, const char* call) const;
  static void expect_tag(int tag, const char* call);
};

/// One rank that talks to itself.
std::unique_ptr<Communicator> make_serial_communicator();

/// The status vote of a step: every rank gives the text of what went wrong with it, or an empty one; all learn of the
/// lowest rank that failed. @throws CommError "rank R: text" on every rank where one failed.
void vote(Communicator& communicator, const std::string& failure);

/// @throws CommError on every rank, naming the lowest rank whose `digest` differs from rank 0's; before any work is
/// done twice in two ways.
void expect_same_everywhere(Communicator& communicator, const char* what, const std::string& digest);

}  // namespace sojourn
