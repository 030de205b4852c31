#pragma once

#include <string>
#include <string_view>

namespace sojourn::cli {

/// The reader of standard output has gone (a closed pipe): there is nobody to tell, so the program leaves quietly.
struct OutputClosed {};

/// Fills standard descriptors that are closed at start, so that no file of ours is ever opened as 0, 1 or 2 and written
/// to by mistake, and ignores SIGPIPE so that a closed pipe arrives as an error of `write_stdout`.
void prepare_streams();

/// Writes all of `text` to standard output. @throws OutputClosed when the reader has gone or the stream was closed at
/// start, IoError for anything else (a full disk).
void write_stdout(std::string_view text);

/// Writes to standard error; failures are ignored, for there is no better place to report them.
void write_stderr(std::string_view text);

/// Whether `write_stderr` of this process writes: of several ranks one speaks for all.
void speak(bool aloud);
/// Writes whoever speaks.
void write_stderr_of_any(std::string_view text);

/// How much of what is no error goes to standard error: the level SOJOURN_LOG names, `info` without it.
enum class LogLevel { kError, kWarning, kInfo, kDebug };
/// @throws UsageError for a level that is none.
LogLevel log_level();

/// "warning: ..." on standard error, unless SOJOURN_LOG is `error`.
void warn(const std::string& message);

/// Writes a file whole or not at all: a temporary file beside it, fsync, rename; interrupts wait until it is done.
/// `-` or an empty path is standard output.
/// @throws UsageError if the file exists and `overwrite` is false, IoError.
void write_file(const std::string& path, std::string_view text, bool overwrite);

}  // namespace sojourn::cli
