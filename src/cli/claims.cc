#include "cli/claims.h"

#include <filesystem>

namespace smll::cli {

namespace fs = std::filesystem;

PathState::PathState(const std::string& path) {
  const fs::path directory = fs::path(path).parent_path();
  place.second = fs::path(path).filename().string();
  if (const auto status = status_behind(directory.empty() ? "." : directory.string())) {
    place.first = id_of(*status);
  }
  std::error_code error;
  is_link = fs::is_symlink(fs::symlink_status(path, error));
  if (const auto status = status_behind(path)) {
    file = id_of(*status);
    is_directory = S_ISDIR(status->st_mode);
  }
}

Claims::Claims(const std::string& source, const std::string& target) : source_(source) {
  if (!target.empty()) target_.emplace(target);
}

bool Claims::concern(const PathState& path) const {
  // A link may lead to anything that is written.
  if (path.is_link) return true;
  if (path.place == source_.place || (path.file && path.file == source_.file)) return true;
  if (!target_) return false;
  // The names in its directory change with it.
  return path.place == target_->place || (path.is_directory && path.file == target_->place.first);
}

}  // namespace smll::cli
