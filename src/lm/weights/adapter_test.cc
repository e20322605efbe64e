// Adapters: what is written is read, damage is refused, and a model has what was noted.
#include "lm/weights/adapter.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <random>

#include "format/byte_io.h"
#include "lm/exact/engine.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll::weights {
namespace {

using ModelPtr = std::shared_ptr<const Weights>;

ModelPtr load(TensorType type, unsigned seed = 1) {
  TinyOptions options;
  options.type = type;
  options.seed = seed;
  return Weights::load(TinyModel(options).path(), {}, 1);
}

// Another matrix of the size and form: every fourth block has another scale, every eighth value is
// one more or one less.
template <typename Block, typename Change>
PackedMatrix changed(const PackedMatrix& from, const Change& change) {
  PackedMatrix to(from.format, from.blocks * exact::kBlock, from.outputs);
  std::memset(to.tile(0), 0, to.tile_bytes * to.tiles);
  std::mt19937 random(3);
  std::vector<Block> row(from.blocks);
  for (int o = 0; o < from.outputs; ++o) {
    unpack(from, o, std::span<Block>(row));
    for (Block& block : row) change(block, random);
    pack(std::span<const Block>(row), o % exact::kTile, to.tile(o / exact::kTile));
  }
  return to;
}

PackedMatrix changed(const PackedMatrix& from) {
  if (from.format == Format::kU4) {
    return changed<U4Block>(from, [](U4Block& block, std::mt19937& random) {
      if (random() % 4 == 0) block.d = static_cast<std::uint16_t>(block.d + random() % 9 - 4);
      if (random() % 4 == 0) block.m = static_cast<std::uint16_t>(block.m ^ 0x8000);
      std::uint8_t& pair = block.nibbles[random() % 16];
      pair = static_cast<std::uint8_t>(pair ^ (random() % 2 == 0 ? 0x01 : 0x10));
    });
  }
  return changed<S8Block>(from, [](S8Block& block, std::mt19937& random) {
    float values[32];
    expand(block, values);
    for (float& value : values) value += static_cast<float>(random() % 3) * 0.01f - 0.01f;
    requantize_on_grid(values, block.scale, block);
  });
}

constexpr MatrixPlace kPlaces[] = {
    {0, MatrixName::kKey}, {1, MatrixName::kQuery}, {1, MatrixName::kDown}};

Adapter adapter_of(const Weights& model) {
  Adapter adapter(model.fingerprint());
  for (const MatrixPlace place : kPlaces) {
    adapter.add(model, place, changed(matrix_of(model.layers()[place.layer].matrices, place.name)));
  }
  return adapter;
}

bool same(const PackedMatrix& a, const PackedMatrix& b) {
  return a.format == b.format && a.tiles == b.tiles && a.tile_bytes == b.tile_bytes &&
         std::memcmp(a.tile(0), b.tile(0), a.tile_bytes * a.tiles) == 0;
}

TEST(Adapter, AModelHasWhatWasNotedAndSharesTheRest) {
  for (const TensorType type : {kQ4_1, kQ8_0}) {
    const ModelPtr model = load(type);
    const Adapter adapter = adapter_of(*model);
    EXPECT_EQ(adapter.matrices(), std::size(kPlaces));
    const ModelPtr adapted = adapter.apply(*model, 2);
    EXPECT_NE(adapted->fingerprint(), model->fingerprint());
    EXPECT_EQ(adapted->head().tile(0), model->head().tile(0));
    for (int layer = 0; layer < 2; ++layer) {
      for (int name = 0; name < kMatrixNames; ++name) {
        const MatrixPlace place{layer, MatrixName(name)};
        const PackedMatrix& before = matrix_of(model->layers()[layer].matrices, place.name);
        const PackedMatrix& after = matrix_of(adapted->layers()[layer].matrices, place.name);
        if (std::ranges::find(kPlaces, place) == std::end(kPlaces)) {
          EXPECT_EQ(before.tile(0), after.tile(0));
        } else {
          EXPECT_TRUE(same(after, changed(before)));
          EXPECT_FALSE(same(after, before));
        }
      }
    }
  }
}

TEST(Adapter, MatricesOfFourBitsMayBecomeOnesOfEight) {
  const ModelPtr model = load(kQ4_1);
  const PackedMatrix& from = model->layers()[1].matrices.gate;
  const PackedMatrix to = changed(in_format(from, Format::kS8));
  Adapter adapter(model->fingerprint());
  adapter.add(*model, {1, MatrixName::kGate}, to);
  const ModelPtr adapted = Adapter::parse(adapter.serialize()).apply(*model, 1);
  EXPECT_TRUE(same(adapted->layers()[1].matrices.gate, to));
  EXPECT_EQ(adapter.memory(*model), to.tile_bytes * to.tiles);
}

TEST(Adapter, WhatIsWrittenIsRead) {
  const ModelPtr model = load(kQ4_1);
  const Adapter adapter = adapter_of(*model);
  const Bytes bytes = adapter.serialize();
  const Adapter read = Adapter::parse(bytes);
  EXPECT_EQ(read.serialize(), bytes);
  EXPECT_EQ(read.hash(), adapter.hash());
  EXPECT_EQ(read.model(), model->fingerprint());
  EXPECT_EQ(read.apply(*model, 1)->fingerprint(), adapter.apply(*model, 2)->fingerprint());
}

// Adapters that exist must be read for ever.
TEST(Adapter, ItsBytesAndWhatTheyMakeStayTheSame) {
  for (const auto& [type, bytes, matrix] : {std::tuple{kQ4_1, std::uint64_t{8872069775115028990u},
                                                       std::uint64_t{14945923413133944615u}},
                                            std::tuple{kQ8_0, std::uint64_t{4472708829540711666u},
                                                       std::uint64_t{8860924299811919965u}}}) {
    const ModelPtr model = load(type);
    const Adapter adapter = adapter_of(*model);
    EXPECT_EQ(adapter.hash(), bytes);
    const ModelPtr adapted = adapter.apply(*model, 1);
    const PackedMatrix& down = adapted->layers()[1].matrices.down;
    EXPECT_EQ(XXH3_64bits(down.tile(0), down.tile_bytes * down.tiles), matrix);
  }
}

TEST(Adapter, NothingIsNotedWhereNothingChanged) {
  const ModelPtr model = load(kQ4_1);
  Adapter adapter(model->fingerprint());
  adapter.add(*model, {0, MatrixName::kUp}, model->layers()[0].matrices.up);
  EXPECT_EQ(adapter.matrices(), 0u);
}

TEST(Adapter, IsRefusedWithAnotherModel) {
  const Adapter adapter = adapter_of(*load(kQ4_1));
  try {
    adapter.apply(*load(kQ4_1, 2), 1);
    FAIL() << "it was applied";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    EXPECT_NE(std::string(error.what()).find("was made for the model"), std::string::npos);
  }
}

ErrorKind refusal(const Bytes& bytes, const Weights& model) {
  try {
    Adapter::parse(bytes).apply(model, 1);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kUsage;  // it was not refused
}

TEST(Adapter, DamageIsRefused) {
  const ModelPtr model = load(kQ4_1);
  const Bytes bytes = adapter_of(*model).serialize();
  for (std::size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 97) {
    EXPECT_EQ(refusal(Bytes(bytes.begin(), bytes.begin() + size), *model), ErrorKind::kData);
  }
  for (std::size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 97) {
    Bytes flipped = bytes;
    flipped[at] ^= 0x10;
    EXPECT_EQ(refusal(flipped, *model), ErrorKind::kData) << at;
  }
}

// Whoever makes bytes up can make the checksum, too: then sizes, places and differences are looked
// at, and none gives a crash or a weight out of range.
TEST(Adapter, BytesMadeUpAreRefusedOrFit) {
  for (const TensorType type : {kQ4_1, kQ8_0}) {
    const ModelPtr model = load(type);
    Bytes bytes = adapter_of(*model).serialize();
    bytes.resize(bytes.size() - 8);
    int refused = 0;
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
      Bytes altered = bytes;
      const std::size_t at = i < 40 ? 5 + i : random() % altered.size();
      altered[at] = static_cast<std::uint8_t>(random());
      format::put_u64(altered, XXH3_64bits(altered.data(), altered.size()));
      try {
        const ModelPtr adapted = Adapter::parse(altered).apply(*model, 1);
        for (const Layer& layer : adapted->layers()) {
          std::vector<float> row(layer.matrices.down.blocks * exact::kBlock);
          unpack(layer.matrices.down, 0, 0, layer.matrices.down.blocks, row.data());
          for (const float value : row) ASSERT_TRUE(std::isfinite(value));
        }
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 30);
  }
}

TEST(Adapter, LogitsAreTheSameEverywhere) {
  for (const TensorType type : {kQ4_1, kQ8_0}) {
    const ModelPtr model = load(type);
    const ModelPtr adapted = adapter_of(*model).apply(*model, 1);
    std::vector<Token> tokens(150);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(i * 7 % 90);
    const auto run = [&](const ModelPtr& weights, exact::Isa isa, std::size_t at_once) {
      exact::EngineOptions options;
      options.isa = isa;
      options.threads = 2;
      exact::Engine engine(weights, options);
      engine.reset(1);
      std::vector<float> all(tokens.size() * engine.rows());
      for (std::size_t at = 0; at < tokens.size(); at += at_once) {
        const std::size_t count = std::min(at_once, tokens.size() - at);
        const exact::LaneTokens batch[] = {{0, std::span(tokens).subspan(at, count)}};
        engine.feed(batch, [&](std::size_t, std::size_t i, std::span<const float> logits, int) {
          std::ranges::copy(logits, all.begin() + (at + i) * logits.size());
        });
      }
      return all;
    };
    const std::vector<float> expected = run(adapted, exact::Isa::kScalar, 1);
    EXPECT_NE(expected, run(model, exact::Isa::kScalar, 1));
    for (const exact::Isa isa : exact::supported_isas()) {
      for (const std::size_t at_once : {std::size_t{1}, std::size_t{100}}) {
        EXPECT_EQ(expected, run(adapted, isa, at_once)) << exact::isa_name(isa);
      }
    }
  }
}

}  // namespace
}  // namespace smll::weights
