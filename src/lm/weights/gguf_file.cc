#include "lm/weights/gguf_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ggml.h"
#include "gguf.h"
#include "smll/error.h"

namespace smll::weights {

struct GgufFile::Impl {
  gguf_context* context = nullptr;
  int fd = -1;
  std::size_t size = 0;

  ~Impl() {
    if (context) gguf_free(context);
    if (fd >= 0) close(fd);
  }
};

GgufFile::GgufFile(const std::string& path) : path_(path), impl_(std::make_unique<Impl>()) {
  open(path);
  gguf_init_params params = {/*no_alloc=*/true, /*ctx=*/nullptr};
  impl_->context = gguf_init_from_file(path.c_str(), params);
  if (!impl_->context) throw Error(ErrorKind::kModel, path + ": not a readable GGUF file");
  list_tensors();
}

GgufFile::~GgufFile() = default;

void GgufFile::open(const std::string& path) {
  impl_->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  if (impl_->fd < 0 || fstat(impl_->fd, &status) != 0) {
    throw Error(ErrorKind::kModel, path + ": cannot open the model file: " + std::strerror(errno));
  }
  impl_->size = static_cast<std::size_t>(status.st_size);
}

void GgufFile::read_rows(const TensorInfo& tensor, std::size_t first, std::size_t count,
                         std::uint8_t* out) const {
  std::size_t left = count * tensor.row_bytes;
  std::uint64_t at = tensor.offset + first * tensor.row_bytes;
  while (left > 0) {
    const ssize_t got = pread(impl_->fd, out, left, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw Error(ErrorKind::kModel,
                  path_ + ": tensor '" + tensor.name + "' cannot be read: " +
                      (got < 0 ? std::strerror(errno) : "the file became shorter meanwhile"));
    }
    out += got;
    at += static_cast<std::uint64_t>(got);
    left -= static_cast<std::size_t>(got);
  }
}

void GgufFile::list_tensors() {
  const gguf_context* context = impl_->context;
  const std::size_t data_offset = gguf_get_data_offset(context);
  const std::int64_t count = gguf_get_n_tensors(context);
  for (std::int64_t i = 0; i < count; ++i) {
    TensorInfo tensor;
    tensor.name = gguf_get_tensor_name(context, i);
    tensor.type = gguf_get_tensor_type(context, i);
    const std::int64_t* extents = gguf_get_tensor_ne(context, i);
    const std::size_t bytes = gguf_get_tensor_size(context, i);
    const std::size_t offset = gguf_get_tensor_offset(context, i);
    const bool inside = data_offset <= impl_->size && offset <= impl_->size - data_offset &&
                        bytes <= impl_->size - data_offset - offset;
    const bool flat = extents[0] > 0 && extents[1] > 0 && extents[2] == 1 && extents[3] == 1;
    if (!inside || !flat) {
      throw Error(ErrorKind::kModel, path_ + ": tensor '" + tensor.name +
                                         (flat ? "' lies outside the file; is it truncated?"
                                               : "' has more than two dimensions"));
    }
    tensor.columns = static_cast<std::size_t>(extents[0]);
    tensor.rows = static_cast<std::size_t>(extents[1]);
    tensor.row_bytes = ggml_row_size(static_cast<ggml_type>(tensor.type), extents[0]);
    if (tensor.row_bytes * tensor.rows != bytes) {
      throw Error(ErrorKind::kModel, path_ + ": tensor '" + tensor.name + "' has a wrong size");
    }
    tensor.offset = data_offset + offset;
    tensors_.push_back(std::move(tensor));
  }
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

std::optional<std::string> GgufFile::text(const std::string& key) const {
  const std::int64_t id = gguf_find_key(impl_->context, key.c_str());
  if (id < 0 || gguf_get_kv_type(impl_->context, id) != GGUF_TYPE_STRING) return std::nullopt;
  return gguf_get_val_str(impl_->context, id);
}

std::optional<std::uint64_t> GgufFile::integer(const std::string& key) const {
  const gguf_context* context = impl_->context;
  const std::int64_t id = gguf_find_key(context, key.c_str());
  if (id < 0) return std::nullopt;
  switch (gguf_get_kv_type(context, id)) {
    case GGUF_TYPE_UINT8:
      return gguf_get_val_u8(context, id);
    case GGUF_TYPE_UINT16:
      return gguf_get_val_u16(context, id);
    case GGUF_TYPE_UINT32:
      return gguf_get_val_u32(context, id);
    case GGUF_TYPE_UINT64:
      return gguf_get_val_u64(context, id);
    case GGUF_TYPE_INT32: {
      const std::int32_t value = gguf_get_val_i32(context, id);
      if (value < 0) return std::nullopt;
      return static_cast<std::uint64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> GgufFile::number(const std::string& key) const {
  const gguf_context* context = impl_->context;
  const std::int64_t id = gguf_find_key(context, key.c_str());
  if (id < 0) return std::nullopt;
  switch (gguf_get_kv_type(context, id)) {
    case GGUF_TYPE_FLOAT32:
      return gguf_get_val_f32(context, id);
    case GGUF_TYPE_FLOAT64:
      return gguf_get_val_f64(context, id);
    default:
      return std::nullopt;
  }
}

std::optional<bool> GgufFile::boolean(const std::string& key) const {
  const gguf_context* context = impl_->context;
  const std::int64_t id = gguf_find_key(context, key.c_str());
  if (id < 0 || gguf_get_kv_type(context, id) != GGUF_TYPE_BOOL) return std::nullopt;
  return gguf_get_val_bool(context, id);
}

std::optional<std::vector<bool>> GgufFile::booleans(const std::string& key) const {
  const gguf_context* context = impl_->context;
  const std::int64_t id = gguf_find_key(context, key.c_str());
  if (id < 0 || gguf_get_kv_type(context, id) != GGUF_TYPE_ARRAY ||
      gguf_get_arr_type(context, id) != GGUF_TYPE_BOOL) {
    return std::nullopt;
  }
  const auto* values = static_cast<const std::int8_t*>(gguf_get_arr_data(context, id));
  return std::vector<bool>(values, values + gguf_get_arr_n(context, id));
}

}  // namespace smll::weights
