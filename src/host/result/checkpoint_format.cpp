#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "sampler/svgd_fields.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn {
namespace {

constexpr std::array<char, 8> kMagic = {'S', 'O', 'J', 'C', 'H', 'K', 'P', 'T'};
constexpr std::uint32_t kByteOrder = 0x01020304, kOtherByteOrder = 0x04030201;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFixedBytes = kMagic.size() + 2 * sizeof(std::uint32_t) + sizeof(std::uint64_t);
constexpr std::size_t kSumBytes = 16;

/// What stands before a field's content, so that a reader knows it again.
enum class FieldKind : std::uint8_t { kWhole = 1, kReal, kText, kWholes, kReals, kMatrix, kFrames, kFields };

template <class T>
constexpr FieldKind kind_of() {
  if constexpr (std::is_same_v<T, std::int64_t>) return FieldKind::kWhole;
  if constexpr (std::is_same_v<T, double>) return FieldKind::kReal;
  if constexpr (std::is_same_v<T, std::string>) return FieldKind::kText;
  if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) return FieldKind::kWholes;
  if constexpr (std::is_same_v<T, std::vector<double>>) return FieldKind::kReals;
  if constexpr (std::is_same_v<T, Matrix<double>>) return FieldKind::kMatrix;
  if constexpr (std::is_same_v<T, std::vector<HistoryFrame>>) return FieldKind::kFrames;
  if constexpr (std::is_same_v<T, std::vector<RunField>>) return FieldKind::kFields;
}

/// All that a file holds, in its order. A part that is added and not named here stops this from compiling.
template <class AnyCheckpoint, class Visit>
void visit_checkpoint(AnyCheckpoint& checkpoint, Visit&& visit) {
  auto& [identity, origin, num_iterations, resumed_at, seconds, stage, iterations_before, stage_seconds, state] =
      checkpoint;
  visit("identity", identity);
  visit("origin", origin);
  visit("num_iterations", num_iterations);
  visit("resumed_at", resumed_at);
  visit("seconds", seconds);
  visit("stage", stage);
  visit("iterations_before", iterations_before);
  visit("stage_seconds", stage_seconds);
  visit_state(state, visit);
}

std::array<unsigned char, kSumBytes> sum_of(const void* bytes, std::size_t count) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, count));
  std::array<unsigned char, kSumBytes> sum{};
  std::memcpy(sum.data(), canonical.digest, sum.size());
  return sum;
}

class Writer {
 public:
  void raw(const void* bytes, std::size_t count) { text_.append(static_cast<const char*>(bytes), count); }
  template <class T>
  void number(T value) {
    raw(&value, sizeof value);
  }
  void add(std::int64_t value) { number(value); }
  void add(double value) { number(value); }
  void add(const std::string& text) {
    number<std::uint64_t>(text.size());
    raw(text.data(), text.size());
  }
  template <class T>
  void add(const std::vector<T>& values) {
    number<std::uint64_t>(values.size());
    if constexpr (std::is_arithmetic_v<T>) {
      raw(values.data(), values.size() * sizeof(T));
    } else {
      for (const T& value : values) add(value);
    }
  }
  void add(const Matrix<double>& matrix) {
    number<std::uint64_t>(matrix.num_rows());
    number<std::uint64_t>(matrix.num_cols());
    raw(matrix.values().data(), matrix.size() * sizeof(double));
  }
  void add(const HistoryFrame& frame) {
    add(frame.iteration);
    add(frame.particles);
  }
  void add(const RunField& field) {
    add(field.name);
    add(field.value);
  }
  std::string& text() { return text_; }

 private:
  std::string text_;
};

/// Reads within its bytes alone. Every count is held against what is left before anything is made from it.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& where) : left_(bytes), where_(where) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw DamagedCheckpoint(fmt::format("{}: the checkpoint is damaged: {}", where_, why));
  }
  void raw(void* to, std::size_t count) {
    if (count > left_.size()) fail("it ends too early");
    if (count > 0) std::memcpy(to, left_.data(), count);
    left_ = left_.subspan(count);
  }
  template <class T>
  T number() {
    T value;
    raw(&value, sizeof value);
    return value;
  }
  /// A count of items that take at least `bytes_each`.
  std::size_t count(std::size_t bytes_each) {
    const auto claimed = number<std::uint64_t>();
    if (claimed > left_.size() / bytes_each) fail("a count is larger than the file");
    return static_cast<std::size_t>(claimed);
  }
  void read(std::int64_t& value) { value = number<std::int64_t>(); }
  void read(double& value) { value = number<double>(); }
  void read(std::string& text) {
    text.resize(count(1));
    raw(text.data(), text.size());
  }
  template <class T>
  void read(std::vector<T>& values) {
    constexpr std::size_t kLeastBytes = std::is_arithmetic_v<T> ? sizeof(T) : 16;
    values.clear();
    values.resize(count(kLeastBytes));
    if constexpr (std::is_arithmetic_v<T>) {
      raw(values.data(), values.size() * sizeof(T));
    } else {
      for (T& value : values) read(value);
    }
  }
  void read(Matrix<double>& matrix) {
    const auto rows = number<std::uint64_t>(), cols = number<std::uint64_t>();
    const std::uint64_t room = left_.size() / sizeof(double);
    if (rows > room || cols > room || (cols > 0 && rows > room / cols) || ((rows == 0) != (cols == 0)))
      fail("a matrix is larger than the file");
    matrix = Matrix<double>(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    raw(matrix.values().data(), matrix.size() * sizeof(double));
  }
  void read(HistoryFrame& frame) {
    read(frame.iteration);
    read(frame.particles);
  }
  void read(RunField& field) {
    read(field.name);
    read(field.value);
  }
  void expect_end() const {
    if (!left_.empty()) fail("more follows where it should end");
  }

 private:
  std::span<const std::byte> left_;
  const std::string& where_;
};

}  // namespace

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  Writer writer;
  writer.raw(kMagic.data(), kMagic.size());
  writer.number(kByteOrder);
  writer.number(kVersion);
  writer.number<std::uint64_t>(0);  // the size, known at the end
  visit_checkpoint(checkpoint, [&](const std::string& name, const auto& value) {
    writer.number(static_cast<std::uint8_t>(name.size()));
    writer.raw(name.data(), name.size());
    writer.number(static_cast<std::uint8_t>(kind_of<std::remove_cvref_t<decltype(value)>>()));
    writer.add(value);
  });
  std::string& text = writer.text();
  const std::uint64_t size = text.size() + kSumBytes;
  std::memcpy(text.data() + kFixedBytes - sizeof size, &size, sizeof size);
  const auto sum = sum_of(text.data(), text.size());
  writer.raw(sum.data(), sum.size());
  return std::move(text);
}

Checkpoint decode_checkpoint(std::span<const std::byte> bytes, const std::string& where) {
  Reader reader(bytes.first(bytes.size() < kSumBytes ? 0 : bytes.size() - kSumBytes), where);
  std::array<char, kMagic.size()> magic{};
  reader.raw(magic.data(), magic.size());
  if (magic != kMagic) reader.fail("it does not begin as one");
  // The sum stands at the end of every version, so that what is damaged is told from what is newer.
  const auto sum = sum_of(bytes.data(), bytes.size() - kSumBytes);
  if (std::memcmp(sum.data(), bytes.data() + bytes.size() - kSumBytes, kSumBytes) != 0)
    reader.fail("its checksum does not fit");
  const auto order = reader.number<std::uint32_t>();
  if (order == kOtherByteOrder)
    throw ModelError(where +
                     ": the checkpoint was written on a machine of the other byte order; go on there, or start "
                     "anew with --overwrite");
  if (order != kByteOrder) reader.fail("its byte order is none");
  const auto version = reader.number<std::uint32_t>();
  if (version > kVersion)
    throw ModelError(
        fmt::format("{}: checkpoint format {} is newer than {}; go on with the sojourn that wrote it, or "
                    "start anew with --overwrite",
                    where, version, kVersion));
  if (version != kVersion) reader.fail("its format version is none");
  if (reader.number<std::uint64_t>() != bytes.size()) reader.fail("its size is not what it says");
  Checkpoint checkpoint;
  visit_checkpoint(checkpoint, [&](const std::string& name, auto& value) {
    std::string found(reader.number<std::uint8_t>(), '\0');
    reader.raw(found.data(), found.size());
    if (found != name) reader.fail(fmt::format("a field is not '{}'", name));
    if (reader.number<std::uint8_t>() != static_cast<std::uint8_t>(kind_of<std::remove_cvref_t<decltype(value)>>()))
      reader.fail(fmt::format("field '{}' is of another kind", name));
    reader.read(value);
  });
  reader.expect_end();
  return checkpoint;
}

std::string differing_fields(std::span<const RunField> there, std::span<const RunField> here) {
  const auto value_of = [](std::span<const RunField> fields, const std::string& name) -> const std::string* {
    const auto found = std::ranges::find(fields, name, &RunField::name);
    return found == fields.end() ? nullptr : &found->value;
  };
  std::string text;
  const auto add = [&](const std::string& name, const std::string* one, const std::string* other) {
    if (one != nullptr && other != nullptr && *one == *other) return;
    text += fmt::format("{}{}: {} there, {} here", text.empty() ? "" : "; ", name, one == nullptr ? "nothing" : *one,
                        other == nullptr ? "nothing" : *other);
  };
  for (const RunField& field : here) add(field.name, value_of(there, field.name), &field.value);
  for (const RunField& field : there)
    if (value_of(here, field.name) == nullptr) add(field.name, &field.value, nullptr);
  return text;
}

}  // namespace sojourn
