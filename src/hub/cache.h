// The directory that keeps models, dictionaries and what is remembered of models, and when it is
// believed: an index chooses models, so only where no other user could have written it.
#pragma once

#include <filesystem>
#include <string>

namespace smll::hub {

// The directories in it.
inline constexpr char kModelsDirectory[] = "models", kDictionariesDirectory[] = "dictionaries";

// $SMLL_CACHE, $XDG_CACHE_HOME/smll, or .cache/smll in $HOME or, where that is unset, in the home
// that the system knows. "" when there is none of them.
std::filesystem::path cache_directory();

// Why what lies at `path` is not believed; "" when it belongs to this user or to root and nobody
// else may write to it, or when there is nothing.
std::string distrust(const std::filesystem::path& path);

// Why the cache is not used, and what to do; "" when it is, or can be made.
std::string cache_problem();

// Makes the cache where it is not there. Throws Error(kModel) when it cannot be had.
void make_cache();

// The content of a file of up to `limit` bytes; "" when it cannot be read or is not believed.
std::string read_believed(const std::filesystem::path& path, std::size_t limit);

}  // namespace smll::hub
