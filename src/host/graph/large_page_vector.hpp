#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace sojourn {

/// Asks for large pages under large arrays: look-ups all over many megabytes otherwise wait for the translation of
/// their addresses rather than for memory. A refusal does no harm.
template <class T>
struct LargePageAllocator {
  using value_type = T;
  LargePageAllocator() = default;
  template <class U>
  explicit LargePageAllocator(const LargePageAllocator<U>&) {}

  T* allocate(std::size_t count) {
    std::size_t bytes = count * sizeof(T), alignment = alignof(std::max_align_t);
    if (bytes >= 2 * kLargePage) alignment = kLargePage;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, bytes);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
    if (alignment == kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { std::free(memory); }
  bool operator==(const LargePageAllocator&) const = default;

 private:
  static constexpr std::size_t kLargePage = 2 << 20;
};

template <class T>
using LargePageVector = std::vector<T, LargePageAllocator<T>>;

}  // namespace sojourn
