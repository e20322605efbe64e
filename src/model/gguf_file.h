// Read-only access to a GGUF file: typed metadata and memory-mapped tensors, all bounds checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smll::model {

// One tensor as it lies in the file. `columns` is the input dimension, which is contiguous.
struct TensorView {
  std::string name;
  int type = 0;  // a ggml_type
  std::size_t columns = 0;
  std::size_t rows = 0;
  const std::uint8_t* data = nullptr;
  std::size_t row_bytes = 0;
};

class GgufFile {
 public:
  // Throws Error(kModel) if the file cannot be read, is not GGUF, or has a tensor outside of it.
  explicit GgufFile(const std::string& path);
  ~GgufFile();
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<TensorView>& tensors() const { return tensors_; }
  // Null when there is no such tensor.
  const TensorView* find(std::string_view name) const;

  // Metadata; empty when the key is absent or of another kind.
  std::optional<std::string> text(const std::string& key) const;
  std::optional<std::uint64_t> integer(const std::string& key) const;
  std::optional<double> number(const std::string& key) const;

 private:
  struct Impl;

  void map(const std::string& path);
  void list_tensors();

  std::string path_;
  std::unique_ptr<Impl> impl_;
  std::vector<TensorView> tensors_;
};

}  // namespace smll::model
