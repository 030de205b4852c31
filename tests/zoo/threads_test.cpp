#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <set>
#include <thread>

#include "sojourn/evaluator.hpp"
#include "zoo/zoo_chains.hpp"

/// Every thread that evaluates allocates its workspace, so the threads that allocate during a call are those that work
/// in it. This program's operator new notes them while a `ThreadWatch` lives.
namespace {

std::mutex watch_lock;
std::set<std::thread::id>* watched = nullptr;

void* allocate(std::size_t size, std::size_t alignment) {
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  // The set allocates as well: not while it is being filled.
  thread_local bool noting = false;
  if (!noting) {
    noting = true;
    {
      const std::lock_guard lock(watch_lock);
      if (watched != nullptr) watched->insert(std::this_thread::get_id());
    }
    noting = false;
  }
  return memory;
}

class ThreadWatch {
 public:
  ThreadWatch() {
    const std::lock_guard lock(watch_lock);
    watched = &threads_;
  }
  /// Stops watching and returns who allocated.
  std::set<std::thread::id> stop() {
    {
      const std::lock_guard lock(watch_lock);
      watched = nullptr;
    }
    return threads_;  // the copy allocates
  }
  ~ThreadWatch() { stop(); }

 private:
  std::set<std::thread::id> threads_;
};

}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
// A sanitizer's own would not go by the one above, as the library's does.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace sojourn::zoo {
namespace {

constexpr int kThreads = 4;
/// Work enough for all threads: fewer would share out less.
constexpr std::size_t kBatch = 10'000;

/// Parameter vectors around the chain's own.
Matrix<double> batch_of(const Chain& chain) {
  Matrix<double> theta(kBatch, chain.theta.size());
  for (std::size_t k = 0; k < kBatch; ++k)
    for (std::size_t p = 0; p < chain.theta.size(); ++p)
      theta(k, p) = chain.theta[p] * (1 + 1e-3 * static_cast<double>((k * (p + 3)) % 101));
  return theta;
}

/// Behaviour S0.46: the moments of one parameter vector are the work of one thread, those of many are shared out, and
/// nobody can tell from the numbers.
TEST(Threads, OneVectorIsOneThreadsWorkAndABatchIsShared) {
  const Chain chain = read_chain("two_deme_6");
  const Evaluator one(chain.model, {.num_threads = 1});
  const Evaluator many(chain.model, {.num_threads = kThreads});
  const Matrix<double> theta = batch_of(chain);
  (void)many.moments(theta.view(), chain.reward, 1, false);  // the team itself starts before it is watched

  ThreadWatch batch_watch;
  const Quantity together = many.moments(theta.view(), chain.reward, 3, true);
  const auto batch_threads = batch_watch.stop();
  EXPECT_GT(batch_threads.size(), 1U);
  EXPECT_LE(batch_threads.size(), static_cast<std::size_t>(kThreads));

  const Quantity alone = one.moments(theta.view(), chain.reward, 3, true);
  EXPECT_EQ(together.values.values(), alone.values.values());
  EXPECT_EQ(together.gradient, alone.gradient);

  for (const std::size_t k : {std::size_t{0}, kBatch / 2, kBatch - 1}) {
    ThreadWatch single_watch;
    const Quantity single = many.moments({theta.row(k).data(), 1, theta.num_cols()}, chain.reward, 3, true);
    EXPECT_EQ(single_watch.stop(), std::set{std::this_thread::get_id()});
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_EQ(single.values(0, j), together.values(k, j));
      for (std::size_t p = 0; p < theta.num_cols(); ++p)
        EXPECT_EQ(single.gradient[j * theta.num_cols() + p], together.gradient[(k * 3 + j) * theta.num_cols() + p]);
    }
  }
}

/// Behaviour S0.23: a grid of parameter vectors at once is the loop over them, bit by bit.
TEST(Batches, AHundredVectorsAtThreeTimesEqualTheLoop) {
  const Chain chain = read_chain("coalescent_10");
  const Evaluator evaluator(chain.model);
  const std::vector<double> times{0.3, 1.0, 3.0};
  Matrix<double> theta(100, 1);
  for (std::size_t k = 0; k < 100; ++k) theta(k, 0) = 0.1 + 0.05 * static_cast<double>(k);
  const Quantity grid = evaluator.law(theta.view(), chain.reward, LawKind::kPdf, times, true);
  ASSERT_EQ(grid.values.num_rows(), 100U);
  ASSERT_EQ(grid.values.num_cols(), 3U);
  ASSERT_EQ(grid.gradient.size(), 300U);
  for (std::size_t k = 0; k < 100; ++k) {
    const Quantity one = evaluator.law({theta.row(k).data(), 1, 1}, chain.reward, LawKind::kPdf, times, true);
    for (std::size_t n = 0; n < 3; ++n) {
      EXPECT_EQ(grid.values(k, n), one.values(0, n));
      EXPECT_EQ(grid.gradient[3 * k + n], one.gradient[n]);
    }
  }
}

TEST(Threads, ALawOfOneVectorIsOneThreadsWork) {
  const Chain chain = read_chain("two_deme_6");
  const Evaluator one(chain.model, {.num_threads = 1});
  const Evaluator many(chain.model, {.num_threads = kThreads});
  const Matrix<double> theta = batch_of(chain);
  const std::vector<double> points{0.1, 1.0, 5.0};
  const auto law = [&](const Evaluator& evaluator, MatrixView<const double> at) {
    return evaluator.law(at, chain.reward, LawKind::kLogPdf, points, true);
  };
  const MatrixView<const double> some{theta.row(0).data(), 64, theta.num_cols()};
  const Quantity together = law(many, some), alone = law(one, some);
  EXPECT_EQ(together.values.values(), alone.values.values());
  EXPECT_EQ(together.gradient, alone.gradient);

  ThreadWatch watch;
  const Quantity single = law(many, {theta.row(5).data(), 1, theta.num_cols()});
  // The caller plans; the evaluation is one thread's, the caller's or another.
  EXPECT_LE(watch.stop().size(), 2U);
  for (std::size_t n = 0; n < points.size(); ++n) EXPECT_EQ(single.values(0, n), together.values(5, n));
}

}  // namespace
}  // namespace sojourn::zoo
