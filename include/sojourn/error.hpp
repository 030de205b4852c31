#pragma once

#include <stdexcept>
#include <string>

namespace sojourn {

/// Process exit status of each failure class, as printed by the command line.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kInvalidFile = 3,
  kNumerical = 4,
  kIo = 5,
  kDevice = 6,
  kCheckpoint = 75,
  kInterrupted = 130,
};

/// Base of every exception Sojourn throws. `what()` states what, where, the value, what is allowed and the way out.
class Error : public std::runtime_error {
 public:
  Error(ExitCode exit_code, const std::string& message) : std::runtime_error(message), exit_code_(exit_code) {}
  [[nodiscard]] ExitCode exit_code() const noexcept { return exit_code_; }

 private:
  ExitCode exit_code_;
};

/// A call or an option that cannot be meant: wrong length, out of range, unknown flag.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};
/// Array extents that disagree.
struct ShapeError : Error {
  explicit ShapeError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};
/// An invalid model, data or run file, or an invalid graph built in code.
struct ModelError : Error {
  explicit ModelError(const std::string& message) : Error(ExitCode::kInvalidFile, message) {}
};
/// A value that cannot be computed to the accuracy asked for, or a negative weight at a given theta.
struct NumericalError : Error {
  explicit NumericalError(const std::string& message) : Error(ExitCode::kNumerical, message) {}
};
/// Reading or writing failed.
struct IoError : Error {
  explicit IoError(const std::string& message) : Error(ExitCode::kIo, message) {}
};
/// A device is missing, unusable or out of memory.
struct DeviceError : Error {
  explicit DeviceError(const std::string& message) : Error(ExitCode::kDevice, message) {}
};
/// Ranks disagree or cannot talk to each other.
struct CommError : Error {
  explicit CommError(const std::string& message) : Error(ExitCode::kDevice, message) {}
};

}  // namespace sojourn
