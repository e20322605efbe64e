// Of a program that is built without llama.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/loaded_model.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

TEST(NoLlama, TellsHowToGetIt) {
  const weights::TinyModel file;
  LoadOptions options;
  options.backend = Backend::kLlama;
  try {
    LoadedModel::load(file.path(), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), testing::HasSubstr("-DSMLL_LLAMA=ON"));
  }
}

}  // namespace
}  // namespace smll::codec
