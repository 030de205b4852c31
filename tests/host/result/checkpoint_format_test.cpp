#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "common/random.hpp"
#include "host/result/checkpoint_cases.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;
using testing::some_checkpoint;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

Checkpoint decoded(const std::string& text) { return decode_checkpoint(bytes_of(text), "F"); }

template <class ErrorType>
std::string message_of(const std::string& text) {
  try {
    decoded(text);
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

/// The text with the sum that belongs to it, so that what lies behind the sum is reached.
std::string with_sum(std::string text) {
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash(&sum, XXH3_128bits(text.data(), text.size() - 16));
  std::memcpy(text.data() + text.size() - 16, sum.digest, 16);
  return text;
}

TEST(CheckpointFormat, GivesBackEveryBit) {
  const Checkpoint written = some_checkpoint();
  const std::string text = encode_checkpoint(written);
  const Checkpoint read = decoded(text);
  // Every field has a value of its own, so that the same bytes again mean the same values in the same places.
  EXPECT_EQ(encode_checkpoint(read), text);
  EXPECT_EQ(read.identity.at(1).name, "seed");
  EXPECT_EQ(read.identity.at(1).value, "1");
  EXPECT_EQ(read.resumed_at, written.resumed_at);
  EXPECT_EQ(read.seconds, 12.5);
  EXPECT_EQ(read.state.particles.values(), written.state.particles.values());
  EXPECT_EQ(read.state.second_moment.num_rows(), 2u);
  EXPECT_EQ(read.state.second_moment.values(), written.state.second_moment.values());
  EXPECT_TRUE(std::signbit(read.state.metric_centre[0]));
  EXPECT_EQ(read.state.metric_centre[1], 5e-324);
  EXPECT_EQ(read.state.held, written.state.held);
  EXPECT_EQ(read.state.facts.start_failure, "flat");
  ASSERT_EQ(read.state.history.size(), 2u);
  EXPECT_EQ(read.state.history[1].iteration, 4);
  EXPECT_EQ(read.state.history[1].particles.values(), written.state.history[1].particles.values());
  EXPECT_EQ(encode_checkpoint(decoded(encode_checkpoint({}))), encode_checkpoint({}));
}

TEST(CheckpointFormat, EveryTruncationIsRefused) {
  const std::string text = encode_checkpoint(some_checkpoint());
  for (std::size_t size = 0; size < text.size(); ++size) {
    // A block of its own of exactly this size, so that a sanitizer sees a read behind its end.
    const std::vector<char> part(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decode_checkpoint(std::as_bytes(std::span(part)), "F"), DamagedCheckpoint) << size;
  }
  EXPECT_THAT(message_of<DamagedCheckpoint>(text + "x"), HasSubstr("F: the checkpoint is damaged"));
}

TEST(CheckpointFormat, EveryFlippedBitIsRefused) {
  std::string text = encode_checkpoint(some_checkpoint());
  for (std::size_t place = 0; place < text.size(); ++place) {
    for (int bit = 0; bit < 8; ++bit) {
      text[place] = static_cast<char>(text[place] ^ (1 << bit));
      EXPECT_THROW(decoded(text), DamagedCheckpoint) << place << ", bit " << bit;
      text[place] = static_cast<char>(text[place] ^ (1 << bit));
    }
  }
}

/// Whoever can make a sum can write anything: lengths, counts and kinds are held against the file all the same.
TEST(CheckpointFormat, ChangesUnderAValidSumNeverReadOutsideNorAskForMuchMemory) {
  const std::string text = encode_checkpoint(some_checkpoint());
  int num_refused = 0;
  for (std::size_t place = 0; place + 16 < text.size(); ++place) {
    for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
      std::string wrong = text;
      // Eight bytes at once make the largest counts, one byte a slightly wrong one.
      for (std::size_t k = 0; k < (value == '\1' ? 1 : 8) && place + k + 16 < wrong.size(); ++k)
        wrong[place + k] = value;
      try {
        decoded(with_sum(wrong));  // another value of a number is as good as the old one
      } catch (const DamagedCheckpoint&) {
        ++num_refused;
      } catch (const ModelError&) {
        ++num_refused;
      }
    }
  }
  EXPECT_GT(num_refused, 500);
  // Random bytes behind a valid beginning.
  for (std::uint64_t round = 0; round < 3000; ++round) {
    PhiloxStream random(1, 2, round);
    std::string wrong = text.substr(0, 24 + static_cast<std::size_t>(random.next_uniform() * 400));
    const std::size_t begin = wrong.size();
    wrong.resize(begin + 64 + 16);
    for (std::size_t k = begin; k < wrong.size(); ++k) wrong[k] = static_cast<char>(random.next_uniform() * 256);
    const std::uint64_t size = wrong.size();
    std::memcpy(wrong.data() + 16, &size, sizeof size);
    EXPECT_THROW(decoded(with_sum(wrong)), DamagedCheckpoint) << round;
  }
}

TEST(CheckpointFormat, NewerFormatAndOtherByteOrderAreNoDamage) {
  std::string newer = encode_checkpoint(some_checkpoint());
  newer[12] = 2;
  EXPECT_THAT(message_of<ModelError>(with_sum(newer)), HasSubstr("checkpoint format 2 is newer than 1"));
  EXPECT_THAT(message_of<DamagedCheckpoint>(newer), HasSubstr("checksum"));
  std::string other = encode_checkpoint(some_checkpoint());
  std::reverse(other.begin() + 8, other.begin() + 12);
  std::reverse(other.begin() + 12, other.begin() + 16);
  std::reverse(other.begin() + 16, other.begin() + 24);
  EXPECT_THAT(message_of<ModelError>(with_sum(other)), HasSubstr("other byte order"));
}

TEST(CheckpointFormat, DifferencesNameFieldAndBothValues) {
  const std::vector<RunField> there{{"seed", "1"}, {"kernel", "imq"}, {"fixed m", "2"}};
  EXPECT_EQ(differing_fields(there, there), "");
  EXPECT_EQ(differing_fields(there, std::vector<RunField>{{"seed", "2"}, {"kernel", "imq"}, {"prior of m", "x"}}),
            "seed: 1 there, 2 here; prior of m: nothing there, x here; fixed m: 2 there, nothing here");
}

}  // namespace
}  // namespace sojourn
