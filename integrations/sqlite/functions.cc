#include "functions.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

#include "maintain.h"
#include "rows.h"
#include "smll/error.h"
#include "tables.h"
#include "values.h"

namespace smll::sqlite {
namespace {

// What a connection's functions share. SQLite runs one of them at a time.
struct Connection {
  TextCache cache;
};

// One call of a function.
class Call {
 public:
  Call(sqlite3_context* context, int count, sqlite3_value** values)
      : context_(context), values_(values, static_cast<std::size_t>(count)) {}

  sqlite3* db() const { return sqlite3_context_db_handle(context_); }
  Connection& connection() const {
    return **static_cast<std::shared_ptr<Connection>*>(sqlite3_user_data(context_));
  }
  sqlite3_context* context() const { return context_; }
  sqlite3_value* value(std::size_t index) const { return values_[index]; }
  int type(std::size_t index) const { return sqlite3_value_type(values_[index]); }
  bool is_null(std::size_t index) const { return type(index) == SQLITE_NULL; }

  // An argument that is a text, or one that may be left out or NULL.
  std::string text(std::size_t index, const char* name) const {
    if (index >= values_.size() || type(index) != SQLITE_TEXT) {
      throw Error(ErrorKind::kUsage, fmt::format("the {} must be a text", name));
    }
    return std::string(text_of(values_[index]));
  }
  std::string optional_text(std::size_t index, const char* name) const {
    if (index >= values_.size() || is_null(index)) return {};
    return text(index, name);
  }
  double number(std::size_t index, const char* name) const {
    const int kind = sqlite3_value_numeric_type(values_[index]);
    const double number = sqlite3_value_double(values_[index]);
    if ((kind != SQLITE_INTEGER && kind != SQLITE_FLOAT) || !(number >= 0)) {
      throw Error(ErrorKind::kUsage, fmt::format("the {} must be a number from 0 up", name));
    }
    return number;
  }

  // SQLite takes a null pointer for NULL, and what is empty may have one.
  void give_text(std::string_view text) const {
    sqlite3_result_text64(context_, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
  }
  void give_blob(ByteView blob) const {
    sqlite3_result_blob64(context_, blob.empty() ? static_cast<const void*>("") : blob.data(),
                          blob.size(), SQLITE_TRANSIENT);
  }
  void give(std::int64_t number) const { sqlite3_result_int64(context_, number); }

 private:
  sqlite3_context* context_;
  std::span<sqlite3_value*> values_;
};

bool is_utf8(ByteView bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::uint8_t lead = bytes[i];
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xC2 ? 4
                             : lead < 0xE0 ? 1
                             : lead < 0xF0 ? 2
                             : lead < 0xF5 ? 3
                                           : 4;
    if (more == 4 || i + more >= bytes.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((bytes[i + k] & 0xC0) != 0x80) return false;
    }
    const std::uint8_t second = more > 0 ? bytes[i + 1] : 0;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

void compress(const Call& call) {
  if (call.is_null(0)) return;
  if (call.type(0) != SQLITE_TEXT) {
    throw Error(ErrorKind::kData, "only texts are compressed; CAST(value AS TEXT) makes one");
  }
  call.give_blob(compress_value(call.db(), text_of(call.value(0)),
                                call.optional_text(1, "dictionary"),
                                call.optional_text(2, "model")));
}

void decompress(const Call& call) {
  if (call.is_null(0)) return;
  if (call.type(0) != SQLITE_BLOB) {
    throw Error(ErrorKind::kData, "the value is no blob, as compressed ones are");
  }
  const Bytes bytes =
      decompress_value(call.db(), blob_of(call.value(0)), call.optional_text(1, "dictionary"),
                       call.optional_text(2, "model"));
  if (is_utf8(bytes)) {
    call.give_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  } else {
    call.give_blob(bytes);
  }
}

void info(const Call& call) {
  if (call.is_null(0)) return;
  if (call.type(0) != SQLITE_BLOB) {
    throw Error(ErrorKind::kData, "the value is no blob, as compressed ones are");
  }
  call.give_text(describe_value(call.db(), blob_of(call.value(0))));
}

void enable_column(const Call& call) {
  enable(call.db(), call.text(0, "table"), call.text(1, "column"),
         call.optional_text(2, "dictionary"), call.optional_text(3, "model"));
}

void disable_column(const Call& call) {
  disable(call.db(), call.text(0, "table"), call.text(1, "column"));
}

void maintain_tables(const Call& call) {
  call.give(maintain(call.db(), call.number(0, "seconds")));
}

void train_column(const Call& call) {
  const double minutes = sqlite3_value_type(call.value(2)) == SQLITE_NULL
                             ? TrainOptions{}.minutes
                             : call.number(2, "minutes");
  call.give_text(hex(train(call.db(), call.text(0, "table"), call.text(1, "column"), minutes)));
}

// smll_row(table, column, token, set, value, row), which stands in views.
void row(const Call& call) {
  const RowValue value{call.text(0, "table"),  call.text(1, "column"),
                       call.text(2, "token"),  sqlite3_value_int64(call.value(3)),
                       blob_of(call.value(4)), sqlite3_value_int64(call.value(5))};
  // Belongs to this place of the statement while it runs.
  auto* ahead = static_cast<Ahead*>(sqlite3_get_auxdata(call.context(), 0));
  const bool is_new = ahead == nullptr;
  Ahead first;
  call.give_text(text_of_row(call.db(), value, call.connection().cache, is_new ? first : *ahead));
  if (is_new) {
    sqlite3_set_auxdata(call.context(), 0, new Ahead(first),
                        [](void* data) { delete static_cast<Ahead*>(data); });
  }
}

// The result of an error, whose message SQLite passes on.
void give_error(sqlite3_context* context, const std::exception& error) {
  sqlite3_result_error(context, error.what(), -1);
  if (const auto* told = dynamic_cast<const SqliteError*>(&error)) {
    sqlite3_result_error_code(context, told->code());
  }
}

template <void (*Function)(const Call&)>
void guarded(sqlite3_context* context, int count, sqlite3_value** values) {
  try {
    Function(Call(context, count, values));
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (const std::exception& error) {
    give_error(context, error);
  }
}

using SqlFunction = void (*)(sqlite3_context*, int, sqlite3_value**);

struct Entry {
  const char* name;
  int least, most;  // arguments
  int flags;
  SqlFunction function;
};

// What changes tables is not for the schemas of databases that come from others; reading a row of a
// view is what such schemas may do.
constexpr Entry kFunctions[] = {
    {"smll_compress", 1, 3, 0, guarded<compress>},
    {"smll_decompress", 1, 3, SQLITE_DETERMINISTIC, guarded<decompress>},
    {"smll_info", 1, 1, 0, guarded<info>},
    {"smll_enable", 2, 4, SQLITE_DIRECTONLY, guarded<enable_column>},
    {"smll_disable", 2, 2, SQLITE_DIRECTONLY, guarded<disable_column>},
    {"smll_maintain", 1, 1, SQLITE_DIRECTONLY, guarded<maintain_tables>},
    {"smll_train", 3, 3, SQLITE_DIRECTONLY, guarded<train_column>},
    {"smll_row", 6, 6, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, guarded<row>},
};

}  // namespace

int register_functions(sqlite3* db) {
  const auto connection = std::make_shared<Connection>();
  for (const Entry& entry : kFunctions) {
    for (int arguments = entry.least; arguments <= entry.most; ++arguments) {
      // SQLite destroys the data also where it fails.
      const int code = sqlite3_create_function_v2(
          db, entry.name, arguments, SQLITE_UTF8 | entry.flags,
          new std::shared_ptr<Connection>(connection), entry.function, nullptr, nullptr,
          [](void* data) { delete static_cast<std::shared_ptr<Connection>*>(data); });
      if (code != SQLITE_OK) return code;
    }
  }
  return SQLITE_OK;
}

}  // namespace smll::sqlite
