// Changes GGUF files, for tests: a model like another but for one thing.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ggml.h"
#include "gguf.h"

namespace smll::weights {

// A file in memory. Keys are without the architecture's prefix. Throws std::runtime_error where it
// has nothing of a name, so that no change is none.
class GgufEdit {
 public:
  explicit GgufEdit(const std::string& path) {
    gguf_context* read = gguf_init_from_file(path.c_str(), {/*no_alloc=*/false, &tensors_});
    if (!read) throw std::runtime_error(path + " cannot be read");
    gguf_set_kv(file_, read);
    for (std::int64_t id = 0; id < gguf_get_n_tensors(read); ++id) {
      gguf_add_tensor(file_, ggml_get_tensor(tensors_, gguf_get_tensor_name(read, id)));
    }
    gguf_free(read);
  }
  ~GgufEdit() {
    gguf_free(file_);
    ggml_free(tensors_);
    ggml_free(added_);
  }
  GgufEdit(const GgufEdit&) = delete;
  GgufEdit& operator=(const GgufEdit&) = delete;

  std::string architecture() const { return gguf_get_val_str(file_, find("general.architecture")); }

  // Metadata that is a float or an unsigned number.
  double number(const std::string& key) const {
    const std::int64_t id = find(prefixed(key));
    return gguf_get_kv_type(file_, id) == GGUF_TYPE_FLOAT32 ? gguf_get_val_f32(file_, id)
                                                            : gguf_get_val_u32(file_, id);
  }
  void set_number(const std::string& key, double value) {
    const std::string name = prefixed(key);
    if (gguf_get_kv_type(file_, find(name)) == GGUF_TYPE_FLOAT32) {
      gguf_set_val_f32(file_, name.c_str(), static_cast<float>(value));
    } else {
      gguf_set_val_u32(file_, name.c_str(), static_cast<std::uint32_t>(value));
    }
  }
  void add_number(const std::string& key, std::uint32_t value) {
    gguf_set_val_u32(file_, prefixed(key).c_str(), value);
  }
  void add_flag(const std::string& key, bool value) {
    gguf_set_val_bool(file_, prefixed(key).c_str(), value);
  }
  void add_flags(const std::string& key, const std::vector<std::int8_t>& values) {
    gguf_set_arr_data(file_, prefixed(key).c_str(), GGUF_TYPE_BOOL, values.data(), values.size());
  }
  void add_float(const std::string& key, float value) {
    gguf_set_val_f32(file_, prefixed(key).c_str(), value);
  }
  void set_text(const std::string& key, const std::string& value) {
    find(prefixed(key));
    gguf_set_val_str(file_, prefixed(key).c_str(), value.c_str());
  }
  void remove(const std::string& key) {
    find(prefixed(key));
    gguf_remove_key(file_, prefixed(key).c_str());
  }
  // The same model of another architecture.
  void rename(const std::string& architecture) {
    const std::string old = prefixed("");
    std::vector<std::string> keys;
    for (std::int64_t id = 0; id < gguf_get_n_kv(file_); ++id) {
      keys.emplace_back(gguf_get_key(file_, id));
    }
    for (const std::string& key : keys) {
      if (!key.starts_with(old)) continue;
      const std::string renamed = architecture + "." + key.substr(old.size());
      const std::int64_t id = find(key);
      switch (gguf_get_kv_type(file_, id)) {
        case GGUF_TYPE_FLOAT32:
          gguf_set_val_f32(file_, renamed.c_str(), gguf_get_val_f32(file_, id));
          break;
        case GGUF_TYPE_UINT32:
          gguf_set_val_u32(file_, renamed.c_str(), gguf_get_val_u32(file_, id));
          break;
        case GGUF_TYPE_STRING:
          gguf_set_val_str(file_, renamed.c_str(),
                           std::string(gguf_get_val_str(file_, id)).c_str());
          break;
        default:
          throw std::runtime_error(key + " is of a type that is not known");
      }
      gguf_remove_key(file_, key.c_str());
    }
    gguf_set_val_str(file_, "general.architecture", architecture.c_str());
  }

  // The F32 tensors whose names end so.
  std::vector<ggml_tensor*> named(std::string_view end) const {
    std::vector<ggml_tensor*> found;
    for (ggml_tensor* t = ggml_get_first_tensor(tensors_); t;
         t = ggml_get_next_tensor(tensors_, t)) {
      if (t->type == GGML_TYPE_F32 && std::string_view(t->name).ends_with(end)) found.push_back(t);
    }
    if (found.empty()) throw std::runtime_error("no tensor " + std::string(end));
    return found;
  }
  static std::span<float> values(ggml_tensor* tensor) {
    return {static_cast<float*>(tensor->data), static_cast<std::size_t>(ggml_nelements(tensor))};
  }
  void fill(std::string_view end, float value) {
    for (ggml_tensor* tensor : named(end)) std::ranges::fill(values(tensor), value);
  }
  void scale(std::string_view end, float factor) {
    for (ggml_tensor* tensor : named(end)) {
      for (float& value : values(tensor)) value *= factor;
    }
  }
  void add_copy(const std::string& name, const std::string& of) {
    ggml_tensor* tensor = ggml_dup_tensor(added_, named(of).front());
    std::memcpy(tensor->data, named(of).front()->data, ggml_nbytes(tensor));
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(file_, tensor);
  }

  void write(const std::string& path) const {
    if (!gguf_write_to_file(file_, path.c_str(), false)) {
      throw std::runtime_error(path + " cannot be written");
    }
  }

 private:
  std::string prefixed(const std::string& key) const { return architecture() + "." + key; }
  std::int64_t find(const std::string& key) const {
    const std::int64_t id = gguf_find_key(file_, key.c_str());
    if (id < 0) throw std::runtime_error("no key " + key);
    return id;
  }

  gguf_context* file_ = gguf_init_empty();
  ggml_context* tensors_ = nullptr;  // that were read
  ggml_context* added_ = ggml_init({std::size_t{16} << 20, nullptr, false});
};

}  // namespace smll::weights
