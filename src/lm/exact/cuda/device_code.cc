#include "lm/exact/cuda/device_code.h"

namespace smll::exact::cuda {

DeviceCode::DeviceCode(Queue& queue, std::span<const std::uint8_t> code,
                       const coder::Decoder::State& state)
    : memory_(queue.device().allocate(sizeof(Code) + code.size())),
      at_{memory_.get() + sizeof(Code), code.size(), state.position, state.value, state.range} {
  queue.upload(memory_.get(), &at_, sizeof(Code));
  if (!code.empty()) queue.upload(memory_.get() + sizeof(Code), code.data(), code.size());
  queue.finish();
}

}  // namespace smll::exact::cuda
