// Writes the seeds of readers of binary files into FOLDER/cache_entry and FOLDER/checkpoint: valid files, which are
// what the program writes today.
#include <filesystem>
#include <fstream>

#include "elimination/content_key.hpp"
#include "elimination/entry_format.hpp"
#include "sojourn/checkpoint.hpp"

int main(int argc, char** argv) {
  using namespace sojourn;
  if (argc != 2) return 2;
  const std::filesystem::path folder(argv[1]);
  const auto write = [&](const char* reader, const std::string& name, const auto& bytes) {
    std::filesystem::create_directories(folder / reader);
    std::ofstream(folder / reader / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  for (const std::int32_t size : {2, 3, 8}) {
    ComponentPattern ring;
    for (std::int32_t s = 0; s < size; ++s) {
      const std::int32_t next = (s + 1) % size, before = (s + size - 1) % size;
      ring.column.push_back(std::min(next, before));
      if (next != before) ring.column.push_back(std::max(next, before));
      ring.row_begin.push_back(static_cast<std::int32_t>(ring.column.size()));
    }
    write("cache_entry", "ring" + std::to_string(size),
          encode_entry(key_of(ring), ring, factor_symbolically(ring, 1000)));
  }
  Checkpoint checkpoint;
  checkpoint.identity = {{"model", "0123"}, {"seed", "1"}};
  checkpoint.origin = {{"version", "1"}};
  checkpoint.num_iterations = 10;
  checkpoint.resumed_at = {3};
  write("checkpoint", "before_start", encode_checkpoint(checkpoint));
  SvgdState& state = checkpoint.state;
  state.iteration = 2;
  state.particles = state.score = Matrix<double>(3, 2, 0.5);
  state.log_density = {1, 2, 3};
  state.metric_factor = Matrix<double>(2, 2, 1.0);
  state.metric_centre = state.sd = {0.5, 0.25};
  state.held = {0, 1, 0};
  state.first_moment = state.second_moment = Matrix<double>(2, 3, 0.125);
  state.history = {{0, state.particles}, {2, state.score}};
  state.trace_mean_log_density = state.trace_step = {4, 5};
  write("checkpoint", "after_two_iterations", encode_checkpoint(checkpoint));
}
