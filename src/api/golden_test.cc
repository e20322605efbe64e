// Golden archives that the program cannot write on its own: of methods that are never the smallest
// with the small generated model. tests/test_exact.py has the others.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "api/golden_files.h"
#include "api/internals.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "container/archive_writer.h"
#include "lm/exact/isa.h"
#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

struct Form {
  std::string name;                     // of the file in tests/golden/v1
  std::vector<format::Method> methods;  // of its frames, which share the text
  int lanes = 1;
  bool learns = false;
  std::string family = {};   // of the model; otherwise it is the test model
  bool escapes = false;      // there are bytes that no token spells
  std::size_t bytes = 1000;  // of the text, without those
};

std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }

std::vector<Form> forms() {
  using enum format::Method;
  std::vector<Form> forms = {
      {"mixed.smll", {kMixed}, 3, false},
      {"mixed-learn.smll", {kMixed}, 1, true},
      {"escapes.smll", {kLlm, kMixed}, 2, false, {}, true},
  };
  for (const std::string& family : lm::kFamilies) {
    forms.push_back({"families/" + family + ".smll", {kLlm, kMixed}, 2, false, family});
    forms.push_back({"families/" + family + "-learn.smll", {kMixed}, 1, true, family, false, 500});
  }
  return forms;
}

std::string model_path(const Form& form) {
  return form.family.empty() ? lm::test_model() : lm::family_model(form.family);
}

Model model_for(const Form& form, const std::string& isa, const std::string& device = "cpu") {
  ModelOptions options;
  options.model = model_path(form);
  options.isa = isa;
  options.device = device;
  options.threads = 1;
  options.window = 64;
  options.learns = form.learns;
  options.download = false;
  return Model(options);
}

Bytes payload_of(const Form& form, format::Method method, const codec::LoadedModel& model,
                 ByteView text) {
  codec::ModelledFrame frame = codec::cut_frame(text, form.lanes, model, nullptr);
  codec::RecordStream stream(frame, model.vocabulary());
  model.scheduler().run(stream, {});
  const auto experts = method == format::Method::kLlm ? mix::Sources::kLlm : mix::Sources::kAll;
  return codec::FrameEncoder(frame, model.vocabulary(), experts).finish();
}

Bytes write(const Form& form, const Model& with, ByteView text) {
  const api::LoadedModelPtr model = Internals::source(with).for_writing();
  MemorySink sink;
  container::ArchiveWriter writer(sink);
  const format::ModelRecord record = api::ModelSource::record_of(*model);
  const std::size_t share = text.size() / form.methods.size();
  for (std::size_t i = 0; i < form.methods.size(); ++i) {
    const ByteView part = text.subspan(i * share, share);
    const Bytes payload = payload_of(form, form.methods[i], *model, part);
    writer.add({form.methods[i], part.size(), payload}, part, &record);
  }
  writer.finish();
  return sink.take();
}

class Golden : public testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    const std::string path = model_path(GetParam());
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
    }
  }

  // More than a lane's window and several steps of a model that learns.
  const Bytes text_ = [] {
    Bytes text = golden::contents(golden::text_path("mixed.txt"));
    text.resize(GetParam().bytes);
    if (GetParam().escapes) {
      for (int byte = 0; byte < 256; ++byte) text.push_back(static_cast<std::uint8_t>(byte));
    }
    return text;
  }();
};

TEST_P(Golden, EveryInstructionSetReadsAndWritesTheArchive) {
  const std::string& name = GetParam().name;
  if (golden::is_to_be_written(name)) {
    golden::write(name, write(GetParam(), model_for(GetParam(), "scalar"), text_));
  }
  const Bytes archive = golden::contents(golden::archive_path(name));
  for (const exact::Isa isa : exact::supported_isas()) {
    const Model model = model_for(GetParam(), exact::isa_name(isa));
    EXPECT_EQ(write(GetParam(), model, text_), archive) << exact::isa_name(isa);
    EXPECT_EQ(Compressor(model).decompress(archive), text_) << exact::isa_name(isa);
  }
}

// Learning is the CPU's, so those archives say nothing of a GPU.
TEST_P(Golden, AGpuReadsAndWritesTheArchive) {
  if (GetParam().learns) return;
  setenv("SMLL_CUDA_LIBRARY", SMLL_EMULATED_LIBRARY, 0);
  const Bytes archive = golden::contents(golden::archive_path(GetParam().name));
  const Model model = model_for(GetParam(), "", "cuda");
  EXPECT_EQ(write(GetParam(), model, text_), archive);
  EXPECT_EQ(Compressor(model).decompress(archive), text_);
  ASSERT_TRUE(model.info());
  EXPECT_TRUE(model.info()->device.starts_with("cuda:0 ")) << model.info()->device;
}

std::string name_of(const testing::TestParamInfo<Form>& form) {
  std::string name = form.param.name;
  name.resize(name.find('.'));
  for (char& c : name) c = c == '-' || c == '/' ? '_' : c;
  return name;
}

// The form of small texts in memory that need no model.
TEST(GoldenCompact, IsReadAndWritten) {
  Bytes text = golden::contents(golden::text_path("numbers.txt"));
  text.resize(500);
  WriteOptions options;
  options.experts = Experts::kCm;
  const Compressor compressor(Model(), options);
  const std::string name = "compact.smll";
  if (golden::is_to_be_written(name)) golden::write(name, compressor.compress(text));
  const Bytes archive = golden::contents(golden::archive_path(name));
  EXPECT_EQ(compressor.compress(text), archive);
  EXPECT_EQ(compressor.decompress(archive), text);
}

INSTANTIATE_TEST_SUITE_P(Forms, Golden, testing::ValuesIn(forms()), name_of);

}  // namespace
}  // namespace smll
