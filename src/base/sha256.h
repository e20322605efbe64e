// SHA-256 of a file.
#pragma once

#include <filesystem>
#include <string>

namespace smll {

// Lower-case hexadecimal. Throws Error(kIo).
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace smll
