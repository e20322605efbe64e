// Read-only access to a GGUF file: typed metadata and the tensors' bytes, all bounds checked.
//
// Source: the GGUF specification (gguf.md of ggml), versions 2 and 3, little-endian.
//
// Bytes are read, never mapped: a file that is cut off or written over meanwhile may give wrong
// ones but cannot end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smll::weights {

// One tensor of the file. `columns` is the input dimension, which is contiguous.
struct TensorInfo {
  std::string name;
  std::uint32_t type = 0;  // a TensorType, or another number
  std::size_t columns = 0;
  std::size_t rows = 0;  // the product of all other dimensions
  std::size_t row_bytes = 0;
  std::uint64_t offset = 0;  // of its first byte in the file
  bool flat = true;          // it has no more than two dimensions

  std::size_t bytes() const { return rows * row_bytes; }
};

// An array of texts, as the file has them. Keeps what it needs of the file in memory.
class TextArray {
 public:
  std::size_t size() const { return starts_.size(); }
  std::string_view operator[](std::size_t i) const;

 private:
  friend class GgufFile;
  std::shared_ptr<const std::vector<char>> header_;
  std::vector<std::uint64_t> starts_;  // of each text's length
};

class GgufFile {
 public:
  // Throws Error(kModel) if the file cannot be read, is not GGUF, or has a tensor outside of it.
  explicit GgufFile(const std::string& path);
  ~GgufFile();
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Those of a type that is not known are there without their sizes.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  // Null when there is no such tensor.
  const TensorInfo* find(std::string_view name) const;
  // Throws Error(kModel) when a tensor has more than two dimensions.
  void require_matrices() const;
  // Reads `count` rows of a tensor of this file from row `first` on into `out`. May be called by
  // several threads. Throws Error(kModel) when the file does not hold them (any more).
  void read_rows(const TensorInfo& tensor, std::size_t first, std::size_t count,
                 std::uint8_t* out) const;

  // Metadata; empty when the key is absent or of another kind.
  std::optional<std::string> text(const std::string& key) const;
  std::optional<std::uint64_t> integer(const std::string& key) const;
  std::optional<double> number(const std::string& key) const;
  std::optional<bool> boolean(const std::string& key) const;
  // Arrays: of truth values, texts, 32-bit integers and single-precision numbers.
  std::optional<std::vector<bool>> booleans(const std::string& key) const;
  std::optional<TextArray> texts(const std::string& key) const;
  std::optional<std::vector<std::int32_t>> integers(const std::string& key) const;
  std::optional<std::vector<float>> numbers(const std::string& key) const;

 private:
  struct Value {
    std::uint32_t type = 0;
    bool array = false;
    std::uint64_t count = 1;
    std::uint64_t start = 0;  // in the header
  };

  [[noreturn]] void fail(const std::string& what) const;
  void open();
  void need(std::uint64_t end);
  template <typename T>
  T take();
  template <typename T>
  T at(std::uint64_t start) const;
  std::string take_text();
  void skip(std::uint32_t type, std::uint64_t count);
  void read_metadata(std::uint64_t count);
  void read_tensors(std::uint64_t count);
  TensorInfo take_tensor();
  std::uint64_t alignment() const;
  const Value* value(const std::string& key, std::uint32_t type, bool array) const;

  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::shared_ptr<std::vector<char>> header_;  // the file's beginning, as far as read
  std::uint64_t position_ = 0;                 // in it
  std::map<std::string, Value, std::less<>> values_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace smll::weights
