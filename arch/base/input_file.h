#pragma once

// Reading what others name: a path may lead to a FIFO that nobody writes to, or to a device that
// never ends.

#include <filesystem>
#include <functional>
#include <string>

namespace patchnas {

/// @throws InputError if the path leads to something other than a file: a folder, FIFO, socket or
///         device. Nothing is said of a path that leads nowhere: whoever opens it knows more.
void require_file(const std::filesystem::path& path);

/// All of a file, or of a pipe until its other end is closed (`--config <(...)`, /dev/stdin).
/// @param while_waiting called at least ten times a second while a pipe gives nothing; may throw to
///        stop
/// @throws InputError with path and reason; also for folders, sockets and devices, and for a pipe
///         that gives more than 1 GiB.
std::string read_input(const std::filesystem::path& path,
                       const std::function<void()>& while_waiting = {});

}  // namespace patchnas
