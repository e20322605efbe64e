// Golden archives of texts that begin with an opening: short ones behind one of the table, short
// ones and frames behind a dictionary. tests/golden/write.sh writes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "api/golden_files.h"
#include "api/internals.h"
#include "codec/dictionary.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "codec/short_encoder.h"
#include "container/archive_writer.h"
#include "format/compact.h"
#include "lm/exact/isa.h"
#include "lm/test_models.h"
#include "smll/smll.h"

namespace smll {
namespace {

enum class Kind { kShort, kFrame };

struct Form {
  std::string name;  // of the file in tests/golden/v1
  Kind kind = Kind::kShort;
  bool mixed = false;
  std::size_t opening = codec::kNoOpening;  // of the table, where there is no dictionary
  bool dictionary = false;
  bool line = false;
  bool learns = false;
};

std::ostream& operator<<(std::ostream& out, const Form& form) { return out << form.name; }

std::vector<Form> forms() {
  return {{"short.smll", Kind::kShort, false, codec::kNoOpening},
          {"short-opening.smll", Kind::kShort, true, 5, false, true},
          {"short-dictionary.smll", Kind::kShort, true, codec::kNoOpening, true, true},
          {"dictionary-llm.smll", Kind::kFrame, false, codec::kNoOpening, true},
          {"dictionary-mixed.smll", Kind::kFrame, true, codec::kNoOpening, true},
          {"dictionary-learn.smll", Kind::kFrame, true, codec::kNoOpening, true, false, true}};
}

Bytes golden_text() { return golden::contents(golden::text_path("mixed.txt")); }

Model model_for(const Form& form, const std::string& isa, const std::string& device = "cpu") {
  ModelOptions options;
  options.model = lm::test_model();
  options.isa = isa;
  options.device = device;
  options.threads = 1;
  options.window = 128;
  options.learns = form.learns;
  options.download = false;
  if (form.dictionary) {
    const Bytes text = golden_text();
    options.dictionary = Internals::dictionary(
        codec::plain_dictionary("golden", ByteView(text).subspan(text.size() - 6000)));
  }
  return Model(options);
}

// Without a line break, but for the one that ends a line.
Bytes text_of(const Form& form) {
  Bytes text = golden_text();
  text.resize(form.kind == Kind::kShort ? 200 : 600);
  if (form.line) std::ranges::replace(text, '\n', ' ');
  return text;
}

Bytes write(const Form& form, const Model& with) {
  const api::LoadedModelPtr model = Internals::source(with).for_writing();
  const Bytes text = text_of(form);
  Bytes coded = text;
  if (form.line) coded.push_back('\n');
  const codec::Opening* opening =
      form.kind == Kind::kShort ? model->opening_of_short(form.opening) : model->opening();
  const int lanes = form.kind == Kind::kShort || form.learns ? 1 : 2;
  codec::ModelledFrame frame = codec::cut_frame(coded, lanes, *model, opening);
  codec::RecordStream stream(frame, model->vocabulary());
  model->scheduler().run(stream, {});
  if (form.kind == Kind::kShort) {
    codec::ShortText parts;
    parts.bytes = text.size();
    parts.units = frame.lanes[0].units;
    parts.paths = frame.paths[0];
    parts.has_break = form.line;
    parts.escapes = frame.escapes;
    const codec::ShortHead head{form.mixed, form.opening, form.line, frame.escapes, coded.size()};
    const Bytes payload =
        codec::encode_short(parts, model->short_odds(), head, opening, model->vocabulary(), {});
    return format::pack_short(payload, text, api::ModelSource::identity_of(*model));
  }
  const auto experts = form.mixed ? mix::Sources::kAll : mix::Sources::kLlm;
  const auto method = form.mixed ? format::Method::kMixed : format::Method::kLlm;
  const Bytes payload = codec::FrameEncoder(frame, model->vocabulary(), experts).finish();
  MemorySink sink;
  container::ArchiveWriter writer(sink);
  const format::ModelRecord record = api::ModelSource::record_of(*model);
  writer.add({method, text.size(), payload}, text, &record);
  writer.finish();
  return sink.take();
}

class GoldenOpenings : public testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
  }
};

TEST_P(GoldenOpenings, EveryInstructionSetReadsAndWritesTheArchive) {
  const std::string& name = GetParam().name;
  if (golden::is_to_be_written(name)) {
    golden::write(name, write(GetParam(), model_for(GetParam(), "scalar")));
  }
  const Bytes archive = golden::contents(golden::archive_path(name));
  const Bytes text = text_of(GetParam());
  for (const exact::Isa isa : exact::supported_isas()) {
    const Model model = model_for(GetParam(), exact::isa_name(isa));
    EXPECT_EQ(write(GetParam(), model), archive) << exact::isa_name(isa);
    EXPECT_EQ(Compressor(model).decompress(archive), text) << exact::isa_name(isa);
  }
}

// Short texts, openings and dictionaries; learning is the CPU's.
TEST_P(GoldenOpenings, AGpuReadsAndWritesTheArchive) {
  if (GetParam().learns) return;
  setenv("SMLL_CUDA_LIBRARY", SMLL_EMULATED_LIBRARY, 0);
  const Bytes archive = golden::contents(golden::archive_path(GetParam().name));
  const Model model = model_for(GetParam(), "", "cuda");
  EXPECT_EQ(write(GetParam(), model), archive);
  EXPECT_EQ(Compressor(model).decompress(archive), text_of(GetParam()));
  ASSERT_TRUE(model.info());
  EXPECT_TRUE(model.info()->device.starts_with("cuda:0 ")) << model.info()->device;
}

TEST_P(GoldenOpenings, IsRefusedWithoutWhatItBeganWith) {
  Form other = GetParam();
  if (!other.dictionary) return;
  other.dictionary = false;
  const Bytes archive = golden::contents(golden::archive_path(GetParam().name));
  EXPECT_THROW(Compressor(model_for(other, "")).decompress(archive), Error);
}

std::string name_of(const testing::TestParamInfo<Form>& form) {
  std::string name = form.param.name;
  name.resize(name.find('.'));
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Forms, GoldenOpenings, testing::ValuesIn(forms()), name_of);

}  // namespace
}  // namespace smll
