#include "comm/shared_arrays.hpp"

#include <new>

#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {

void make_room_on_every_rank(Communicator& ranks, std::int64_t num_bytes, const std::function<void()>& allocate) {
  std::string failure;
  try {
    const std::int64_t left = memory_left();
    SOJOURN_EXPECTS(num_bytes <= left, CommError, "{} bytes are to come from rank 0, and {} are left", num_bytes, left);
    allocate();
  } catch (const Error& error) {
    failure = error.what();
  } catch (const std::bad_alloc&) {
    failure = fmt::format("no memory for {} bytes from rank 0", num_bytes);
  }
  if (!failure.empty()) failure += "; use a machine with more memory, or fewer ranks on one";
  vote(ranks, failure);
}

void SharedArrays::exchange(const char* what) {
  std::vector<std::int64_t> sizes;
  for (const Item& item : items_) sizes.push_back(item.size);
  sizes = ranks_.broadcast(std::span<const std::int64_t>(sizes), 0);
  const bool gives = ranks_.rank() == 0;
  std::int64_t num_bytes = 0;
  for (std::size_t k = 0; k < items_.size() && !gives; ++k)
    num_bytes += sizes[k] * static_cast<std::int64_t>(items_[k].bytes_of_one);
  make_room_on_every_rank(ranks_, num_bytes, [&] {
    for (std::size_t k = 0; k < items_.size() && !gives; ++k) items_[k].resize(static_cast<std::size_t>(sizes[k]));
  });
  ContentHash hash;
  for (const Item& item : items_) {
    const std::span<std::byte> bytes = item.bytes();
    if (bytes.empty()) continue;
    ranks_.broadcast_in_place(bytes, 0);
    hash.add_bytes(bytes.data(), bytes.size());
  }
  const XXH128_hash_t sum = hash.digest();
  expect_same_everywhere(ranks_, what, fmt::format("{:016x}{:016x}", sum.high64, sum.low64));
}

std::vector<std::string> FlatTexts::texts() const {
  std::vector<std::string> texts;
  std::size_t place = 0;
  for (const std::int64_t length : lengths) {
    texts.push_back(characters.substr(place, static_cast<std::size_t>(length)));
    place += static_cast<std::size_t>(length);
  }
  return texts;
}

}  // namespace sojourn
