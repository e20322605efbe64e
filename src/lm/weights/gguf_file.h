// Read-only access to a GGUF file: typed metadata and the tensors' bytes, all bounds checked.
//
// Bytes are read, never mapped: a file that is cut off or written over meanwhile may give wrong
// ones but cannot end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smll::weights {

// One tensor of the file. `columns` is the input dimension, which is contiguous.
struct TensorInfo {
  std::string name;
  int type = 0;  // a ggml_type
  std::size_t columns = 0;
  std::size_t rows = 0;
  std::size_t row_bytes = 0;
  std::uint64_t offset = 0;  // of its first byte in the file

  std::size_t bytes() const { return rows * row_bytes; }
};

class GgufFile {
 public:
  // Throws Error(kModel) if the file cannot be read, is not GGUF, or has a tensor outside of it.
  explicit GgufFile(const std::string& path);
  ~GgufFile();
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  // Null when there is no such tensor.
  const TensorInfo* find(std::string_view name) const;
  // Reads `count` rows of a tensor of this file from row `first` on into `out`. May be called by
  // several threads. Throws Error(kModel) when the file does not hold them (any more).
  void read_rows(const TensorInfo& tensor, std::size_t first, std::size_t count,
                 std::uint8_t* out) const;

  // Metadata; empty when the key is absent or of another kind.
  std::optional<std::string> text(const std::string& key) const;
  std::optional<std::uint64_t> integer(const std::string& key) const;
  std::optional<double> number(const std::string& key) const;
  std::optional<bool> boolean(const std::string& key) const;
  // An array of truth values.
  std::optional<std::vector<bool>> booleans(const std::string& key) const;

 private:
  struct Impl;

  void open(const std::string& path);
  void list_tensors();

  std::string path_;
  std::unique_ptr<Impl> impl_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace smll::weights
