#include "lm/weights/gguf_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "lm/weights/tensor_type.h"
#include "smll/error.h"

namespace smll::weights {
namespace {

// Texts hold no NUL; what a damaged file has behind one is left out.
std::string_view as_text(const char* text, std::uint64_t length) {
  const std::string_view all(text, length);
  return all.substr(0, all.find('\0'));
}

// More than any model's metadata take; what the file says alone must not fill memory.
constexpr std::uint64_t kMaxHeader = std::uint64_t{1} << 30;
constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;
constexpr std::uint32_t kMaxDimensions = 4;

// Types of metadata, as their numbers stand in the file.
enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};
// Bytes of each; 0: of no fixed size.
constexpr std::uint64_t kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// Reads all of `size` bytes at `offset`, or what the file has of them.
std::size_t read_at(int fd, char* out, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(fd, out + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

std::string_view TextArray::operator[](std::size_t i) const {
  std::uint64_t length = 0;
  std::memcpy(&length, header_->data() + starts_[i], sizeof(length));
  return as_text(header_->data() + starts_[i] + sizeof(length), length);
}

GgufFile::GgufFile(const std::string& path)
    : path_(path), header_(std::make_shared<std::vector<char>>()) {
  open();
  try {
    need(4);
    if (std::memcmp(header_->data(), "GGUF", 4) != 0) fail("it does not begin like one");
    position_ = 4;
    const auto version = take<std::uint32_t>();
    if (version != 2 && version != 3) fail("of a version or byte order that is not known");
    const auto tensors = take<std::uint64_t>();
    read_metadata(take<std::uint64_t>());
    read_tensors(tensors);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

GgufFile::~GgufFile() { ::close(fd_); }

void GgufFile::fail(const std::string& what) const {
  throw Error(ErrorKind::kModel, path_ + ": not a GGUF file, or a damaged one: " + what);
}

void GgufFile::open() {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  if (fd_ < 0 || fstat(fd_, &status) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd_ >= 0) ::close(fd_);
    throw Error(ErrorKind::kModel, path_ + ": cannot open the model file: " + reason);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

// Makes the header reach so far.
void GgufFile::need(std::uint64_t end) {
  std::vector<char>& header = *header_;
  if (end <= header.size()) return;
  if (end > size_) fail("it ends too early");
  if (end > kMaxHeader) fail("its metadata take more than 1 GiB");
  const std::uint64_t old = header.size();
  header.resize(std::min(size_, std::max({end, old + kChunk, 2 * old})));
  if (read_at(fd_, header.data() + old, header.size() - old, old) < header.size() - old) {
    fail("it cannot be read");
  }
}

template <typename T>
T GgufFile::at(std::uint64_t start) const {
  T value;
  std::memcpy(&value, header_->data() + start, sizeof(T));
  return value;
}

template <typename T>
T GgufFile::take() {
  need(position_ + sizeof(T));
  position_ += sizeof(T);
  return at<T>(position_ - sizeof(T));
}

std::string GgufFile::take_text() {
  const std::uint64_t start = position_;
  skip(kString, 1);
  return {header_->data() + start + sizeof(std::uint64_t), header_->data() + position_};
}

void GgufFile::skip(std::uint32_t type, std::uint64_t count) {
  if (type != kString) {
    if (count > size_) fail("an array is longer than the file");
    need(position_ + count * kValueBytes[type]);
    position_ += count * kValueBytes[type];
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto length = take<std::uint64_t>();
    if (length > size_) fail("a text is longer than the file");
    need(position_ + length);
    position_ += length;
  }
}

void GgufFile::read_metadata(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = take_text();
    Value value;
    value.type = take<std::uint32_t>();
    value.array = value.type == kArray;
    if (value.array) {
      value.type = take<std::uint32_t>();
      value.count = take<std::uint64_t>();
    }
    if (value.type > kFloat64 || value.type == kArray) fail("metadata of a kind that is not known");
    value.start = position_;
    skip(value.type, value.count);
    if (!values_.emplace(std::move(key), value).second) fail("a key of its metadata stands twice");
  }
}

std::uint64_t GgufFile::alignment() const {
  const auto found = values_.find("general.alignment");
  if (found == values_.end()) return 32;
  const std::uint64_t told = integer("general.alignment").value_or(0);
  if (!std::has_single_bit(told) || told > kMaxHeader) fail("its alignment is no power of two");
  return told;
}

// With its offset among the tensors' bytes.
TensorInfo GgufFile::take_tensor() {
  TensorInfo tensor;
  tensor.name = take_text();
  const auto dimensions = take<std::uint32_t>();
  if (dimensions > kMaxDimensions) fail("tensor '" + tensor.name + "' has too many dimensions");
  std::uint64_t extents[kMaxDimensions] = {1, 1, 1, 1};
  std::uint64_t values = 1;
  for (std::uint32_t d = 0; d < dimensions; ++d) {
    extents[d] = take<std::uint64_t>();
    // No value takes less than an eighth of a byte.
    if (extents[d] == 0 || extents[d] > 8 * size_ / values) {
      fail("tensor '" + tensor.name + "' is empty or larger than the file");
    }
    values *= extents[d];
  }
  tensor.columns = extents[0];
  tensor.rows = values / extents[0];
  tensor.flat = extents[2] == 1 && extents[3] == 1;
  tensor.type = take<std::uint32_t>();
  tensor.offset = take<std::uint64_t>();
  if (const TensorLayout* layout = layout_of(tensor.type)) {
    if (tensor.columns % layout->values != 0) {
      fail("the rows of tensor '" + tensor.name + "' are not whole blocks of " + layout->name);
    }
    tensor.row_bytes = tensor.columns / layout->values * layout->bytes;
  }
  return tensor;
}

void GgufFile::read_tensors(std::uint64_t count) {
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < count; ++i) tensors_.push_back(take_tensor());
  const std::uint64_t step = alignment();
  const std::uint64_t data = (position_ + step - 1) / step * step;
  for (TensorInfo& tensor : tensors_) {
    if (!names.insert(tensor.name).second) fail("tensor '" + tensor.name + "' stands twice");
    if (data > size_ || tensor.offset > size_ - data ||
        tensor.bytes() > size_ - data - tensor.offset) {
      throw Error(ErrorKind::kModel,
                  path_ + ": tensor '" + tensor.name + "' lies outside the file; is it truncated?");
    }
    tensor.offset += data;
  }
}

void GgufFile::require_matrices() const {
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.flat) continue;
    throw Error(ErrorKind::kModel,
                path_ + ": tensor '" + tensor.name + "' has more than two dimensions");
  }
}

void GgufFile::read_rows(const TensorInfo& tensor, std::size_t first, std::size_t count,
                         std::uint8_t* out) const {
  const std::size_t bytes = count * tensor.row_bytes;
  errno = 0;
  if (read_at(fd_, reinterpret_cast<char*>(out), bytes, tensor.offset + first * tensor.row_bytes) <
      bytes) {
    throw Error(ErrorKind::kModel,
                path_ + ": tensor '" + tensor.name + "' cannot be read: " +
                    (errno != 0 ? std::strerror(errno) : "the file became shorter meanwhile"));
  }
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

const GgufFile::Value* GgufFile::value(const std::string& key, std::uint32_t type,
                                       bool array) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  return found->second.type == type && found->second.array == array ? &found->second : nullptr;
}

std::optional<std::string> GgufFile::text(const std::string& key) const {
  const Value* found = value(key, kString, false);
  if (!found) return std::nullopt;
  const char* text = header_->data() + found->start + sizeof(std::uint64_t);
  return std::string(as_text(text, at<std::uint64_t>(found->start)));
}

std::optional<std::uint64_t> GgufFile::integer(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->second.array) return std::nullopt;
  const std::uint64_t start = found->second.start;
  switch (found->second.type) {
    case kUint8:
      return at<std::uint8_t>(start);
    case kUint16:
      return at<std::uint16_t>(start);
    case kUint32:
      return at<std::uint32_t>(start);
    case kUint64:
      return at<std::uint64_t>(start);
    case kInt32: {
      const auto number = at<std::int32_t>(start);
      if (number < 0) return std::nullopt;
      return static_cast<std::uint64_t>(number);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> GgufFile::number(const std::string& key) const {
  if (const Value* found = value(key, kFloat32, false)) return at<float>(found->start);
  if (const Value* found = value(key, kFloat64, false)) return at<double>(found->start);
  return std::nullopt;
}

std::optional<bool> GgufFile::boolean(const std::string& key) const {
  const Value* found = value(key, kBool, false);
  if (!found) return std::nullopt;
  return at<std::uint8_t>(found->start) != 0;
}

std::optional<std::vector<bool>> GgufFile::booleans(const std::string& key) const {
  const Value* found = value(key, kBool, true);
  if (!found) return std::nullopt;
  const char* values = header_->data() + found->start;
  return std::vector<bool>(values, values + found->count);
}

std::optional<TextArray> GgufFile::texts(const std::string& key) const {
  const Value* found = value(key, kString, true);
  if (!found) return std::nullopt;
  TextArray texts;
  texts.header_ = header_;
  texts.starts_.reserve(found->count);
  std::uint64_t start = found->start;
  for (std::uint64_t i = 0; i < found->count; ++i) {
    texts.starts_.push_back(start);
    start += sizeof(std::uint64_t) + at<std::uint64_t>(start);
  }
  return texts;
}

std::optional<std::vector<std::int32_t>> GgufFile::integers(const std::string& key) const {
  const Value* found = value(key, kInt32, true);
  if (!found) return std::nullopt;
  std::vector<std::int32_t> values(found->count);
  std::memcpy(values.data(), header_->data() + found->start, values.size() * sizeof(values[0]));
  return values;
}

std::optional<std::vector<float>> GgufFile::numbers(const std::string& key) const {
  const Value* found = value(key, kFloat32, true);
  if (!found) return std::nullopt;
  std::vector<float> values(found->count);
  std::memcpy(values.data(), header_->data() + found->start, values.size() * sizeof(values[0]));
  return values;
}

}  // namespace smll::weights
