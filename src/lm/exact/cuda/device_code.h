// A code in a device's memory, and where its decoder stands.
#pragma once

#include <span>

#include "lm/exact/cuda/device.h"
#include "lm/token_code.h"

namespace smll::exact::cuda {

class DeviceCode : public lm::TokenCode {
 public:
  // Copies the code.
  DeviceCode(Queue& queue, std::span<const std::uint8_t> code, const coder::Decoder::State& state);

  coder::Decoder::State state() const override { return {at_.position, at_.value, at_.range}; }
  // The device's.
  Code* on_device() const { return reinterpret_cast<Code*>(memory_.get()); }
  // What the device says of it.
  void go_to(const Code& at) { at_ = at; }

 private:
  Memory memory_;  // a Code, and behind it the bytes
  Code at_;
};

}  // namespace smll::exact::cuda
