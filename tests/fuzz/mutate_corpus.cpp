// Runs a reader over its corpus and over mutations of it, which the seed decides. Usage:
// PROGRAM SECONDS SEED FILE_OR_FOLDER... A finding ends it by a signal, after the input was written to finding.bin.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "fuzz/reader.hpp"

namespace {

using Bytes = std::vector<unsigned char>;
Bytes current;

void save_and_die(int number) {
  if (FILE* const file = std::fopen("finding.bin", "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(Bytes bytes) {
  current = std::move(bytes);
  alarm(30);  // an input that takes this long is a finding as well
  try {
    sojourn::fuzz::read(current);
  } catch (const sojourn::Error&) {
  }
}

/// Flips, overwrites, cuts, repeats and swaps parts of an input, or joins it with another.
Bytes mutated(Bytes bytes, const Bytes& other, std::mt19937_64& random) {
  const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
  static constexpr const char* kTokens[] = {
      "-1",       "1e308",    "nan", "18446744073709551616", "{", "[", "&a", "*a", ": ", "\n", ",", "\"", "0x",
      "!!binary", "\xff\xfe", "#"};
  for (std::size_t count = 1 + below(4); count-- > 0 && !bytes.empty();) {
    const std::size_t at = below(bytes.size()), length = 1 + below(std::min<std::size_t>(bytes.size() - at, 32));
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(7)) {
      case 0:
        bytes[at] ^= static_cast<unsigned char>(1 << below(8));
        break;
      case 1:
        bytes[at] = static_cast<unsigned char>(below(256));
        break;
      case 2:
        bytes.erase(place, place + static_cast<std::ptrdiff_t>(length));
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4: {
        const Bytes part(place, place + static_cast<std::ptrdiff_t>(length));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size() + 1)), part.begin(), part.end());
        break;
      }
      case 5: {
        const char* const token = kTokens[below(std::size(kTokens))];
        bytes.insert(place, token, token + std::strlen(token));
        break;
      }
      default:
        if (!other.empty())
          bytes.insert(place, other.begin() + static_cast<std::ptrdiff_t>(below(other.size())), other.end());
    }
  }
  if (bytes.size() > 1 << 16) bytes.resize(1 << 16);
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL, SIGALRM}) std::signal(number, save_and_die);
  std::vector<Bytes> corpus;
  const auto add = [&](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  };
  for (int i = 3; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      add(argv[i]);
      continue;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
    std::ranges::sort(files);
    for (const auto& path : files) add(path);
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus in %s\n", argv[3]);
    return 2;
  }
  for (const Bytes& input : corpus) run(input);
  std::mt19937_64 random(std::strtoull(argv[2], nullptr, 10));
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(argv[1]));
  std::size_t num_runs = 0;
  for (; std::chrono::steady_clock::now() < end; ++num_runs) {
    const auto pick = [&]() -> const Bytes& { return corpus[random() % corpus.size()]; };
    run(mutated(pick(), pick(), random));
  }
  std::printf("%zu inputs of the corpus, %zu mutations\n", corpus.size(), num_runs);
  return 0;
}
