// Golden archives that the program cannot write on its own: the compact form, and methods that are
// never the smallest with the small generated model. tests/test_exact.py has the others.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "api/model_source.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "container/archive_writer.h"
#include "format/compact.h"
#include "lm/exact/isa.h"
#include "smll/smll.h"

namespace smll {
namespace {

struct Form {
  const char* name;  // of the file in tests/golden
  format::Method method;
  bool compact;
  int lanes;
  bool learns;
};

constexpr Form kForms[] = {
    {"mixed.smll", format::Method::kMixed, false, 3, false},
    {"mixed-learn.smll", format::Method::kMixed, false, 1, true},
    {"compact-llm.smll", format::Method::kLlm, true, 1, false},
    {"compact-mixed.smll", format::Method::kMixed, true, 1, false},
    {"compact-learn.smll", format::Method::kLlm, true, 1, true},
};

std::string test_model() {
  const char* path = std::getenv("SMLL_TEST_MODEL");
  return path ? path : "test_model.gguf";
}

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(SMLL_GOLDEN_DIRECTORY) / name;
}

Bytes contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

Model model_for(const Form& form, const std::string& isa) {
  ModelOptions options;
  options.model = test_model();
  options.isa = isa;
  options.threads = 1;
  options.window = 64;
  options.learns = form.learns;
  options.download = false;
  return Model(options);
}

Bytes write(const Form& form, const Model& with, const Bytes& text) {
  const api::LoadedModelPtr model = with.source()->for_writing();
  codec::ModelledFrame frame = codec::cut_frame(text, form.lanes, *model);
  codec::RecordStream stream(frame, model->vocabulary());
  model->scheduler().run(stream, {});
  const auto experts =
      form.method == format::Method::kLlm ? mix::Sources::kLlm : mix::Sources::kAll;
  const Bytes payload =
      codec::FrameEncoder(frame, model->vocabulary(), experts, form.compact).finish();
  if (form.compact) {
    return format::pack_compact(form.method, payload, text, api::ModelSource::identity_of(*model));
  }
  MemorySink sink;
  container::ArchiveWriter writer(sink);
  const format::ModelRecord record = api::ModelSource::record_of(*model);
  writer.add({form.method, text.size(), payload}, text, &record);
  writer.finish();
  return sink.take();
}

class Golden : public testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(test_model())) {
      GTEST_SKIP() << test_model() << " is missing: run `make unit`, which generates it";
    }
  }

  // More than a lane's window and several steps of a model that learns.
  const Bytes text_ = [] {
    Bytes text = contents(golden("mixed.txt"));
    text.resize(1000);
    return text;
  }();
};

TEST_P(Golden, EveryInstructionSetReadsAndWritesTheArchive) {
  if (std::getenv("SMLL_WRITE_GOLDEN") != nullptr) {  // as tests/golden/write.sh does
    const Bytes archive = write(GetParam(), model_for(GetParam(), "scalar"), text_);
    std::ofstream(golden(GetParam().name), std::ios::binary)
        .write(reinterpret_cast<const char*>(archive.data()),
               static_cast<std::streamsize>(archive.size()));
  }
  const Bytes archive = contents(golden(GetParam().name));
  for (const exact::Isa isa : exact::supported_isas()) {
    const Model model = model_for(GetParam(), exact::isa_name(isa));
    EXPECT_EQ(write(GetParam(), model, text_), archive) << exact::isa_name(isa);
    EXPECT_EQ(Compressor(model).decompress(archive), text_) << exact::isa_name(isa);
  }
}

std::string name_of(const testing::TestParamInfo<Form>& form) {
  std::string name = form.param.name;
  name.resize(name.find('.'));
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Forms, Golden, testing::ValuesIn(kForms), name_of);

}  // namespace
}  // namespace smll
