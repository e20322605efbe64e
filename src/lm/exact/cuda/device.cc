#include "lm/exact/cuda/device.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "lm/exact/arithmetic_check.h"
#include "lm/exact/known_answers.h"
#include "smll/error.h"

namespace smll::exact::cuda {
namespace {

constexpr char kLibraryName[] = "libsmll_cuda.so";
// The oldest compute capability that the library is built for.
constexpr int kOldestMajor = 8;

Error absent(const std::string& why) {
  return {ErrorKind::kUsage, "there is no GPU to use: " + why + "; --device cpu needs none"};
}

// Where the library may be: the one that the environment names or, without it, beside the program
// or the module that this is part of, where installations put libraries, and where the system
// looks.
std::vector<std::string> places() {
  if (const char* named = std::getenv("SMLL_CUDA_LIBRARY"); named && *named) return {named};
  std::vector<std::string> places;
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&absent), &self) != 0 && self.dli_fname) {
    std::error_code unknown;
    const auto file = std::filesystem::weakly_canonical(self.dli_fname, unknown);
    const std::filesystem::path directory = file.parent_path();
    places.push_back((directory / kLibraryName).string());
    places.push_back((directory.parent_path() / "lib" / kLibraryName).string());
  }
  places.emplace_back(kLibraryName);
  return places;
}

const Library& load() {
  void* library = nullptr;
  std::string why;
  for (const std::string& place : places()) {
    library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library) break;
    why = dlerror();
  }
  if (!library) throw absent("libsmll_cuda cannot be loaded (" + why + ")");
  const auto entry = reinterpret_cast<Entry>(dlsym(library, kEntryName));
  // Nothing of another version's table but its version may be read.
  if (!entry || entry()->version != kAbiVersion) {
    throw absent("the libsmll_cuda that was found belongs to another version of smll");
  }
  return *entry();
}

// Loaded once, and never unloaded.
const Library& library() {
  static const Library& library = load();
  return library;
}

}  // namespace

std::shared_ptr<Device> Device::open(int number) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<Device>> devices;
  const std::lock_guard lock(mutex);
  if (auto device = devices[number].lock()) return device;
  const std::shared_ptr<Device> device(new Device(library(), number));
  device->check_arithmetic();
  devices[number] = device;
  return device;
}

Device::Device(const Library& library, int number) : library_(library), number_(number) {
  Message message{};
  int devices = 0;
  if (library_.count(&devices, &message) != 0) throw absent(message.text);
  if (number < 0 || number >= devices) {
    throw absent("number " + std::to_string(number) + " of " + std::to_string(devices) +
                 " does not exist");
  }
  if (library_.info(number, &info_, &message) != 0) throw absent(message.text);
  if (info_.major < kOldestMajor) {
    throw absent(name() + " is too old (compute capability " + std::to_string(info_.major) + "." +
                 std::to_string(info_.minor) + ", 8.0 is needed)");
  }
}

void Device::check_arithmetic() {
  std::vector<std::uint32_t> cases;
  for (const KnownAnswer& known : kKnownAnswers) {
    cases.insert(cases.end(), {known.operation, known.a, known.b, known.c});
  }
  std::vector<std::uint32_t> results(kKnownAnswerCount);
  Queue queue(shared_from_this());
  const Memory questions = allocate(cases.size() * 4);
  const Memory answers = allocate(results.size() * 4);
  queue.upload(questions.get(), cases.data(), cases.size() * 4);
  CheckArgs args{};
  args.cases = reinterpret_cast<const std::uint32_t*>(questions.get());
  args.results = reinterpret_cast<std::uint32_t*>(answers.get());
  args.count = static_cast<std::int32_t>(results.size());
  queue.start(kCheck, {1, 1, 64, 0}, args);
  queue.download(results.data(), answers.get(), results.size() * 4);
  queue.finish();
  expect_known_answers(results, name());
}

void Device::expect(int failed, const Message& message) const {
  if (failed == 0) return;
  if (failed == kNoMemory) {
    throw Error(ErrorKind::kMemory, name() + " has not enough memory (" + message.text +
                                        "); use fewer lanes or --device cpu");
  }
  throw Error(ErrorKind::kIo, name() + " failed: " + message.text);
}

Memory Device::allocate(std::size_t bytes) {
  void* memory = nullptr;
  Message message{};
  expect(library_.allocate(number_, bytes, &memory, &message), message);
  return {static_cast<std::uint8_t*>(memory), [self = shared_from_this()](std::uint8_t* p) {
            self->library_.release(self->number_, p);
          }};
}

Memory Device::allocate_host(std::size_t bytes) {
  void* memory = nullptr;
  Message message{};
  expect(library_.allocate_host(number_, bytes, &memory, &message), message);
  return {static_cast<std::uint8_t*>(memory), [self = shared_from_this()](std::uint8_t* p) {
            self->library_.release_host(self->number_, p);
          }};
}

Queue::Queue(std::shared_ptr<Device> device) : device_(std::move(device)) {
  void* queue = nullptr;
  Message message{};
  device_->expect(device_->library_.open_queue(device_->number_, &queue, &message), message);
  queue_ = {queue, [device = device_](void* opened) {
              device->library_.close_queue(device->number_, opened);
            }};
}

void Queue::upload(void* to, const void* from, std::size_t bytes) {
  Message message{};
  device_->expect(
      device_->library_.upload(device_->number_, queue_.get(), to, from, bytes, &message), message);
}

void Queue::copy(void* to, const void* from, std::size_t bytes) {
  Message message{};
  device_->expect(device_->library_.copy(device_->number_, queue_.get(), to, from, bytes, &message),
                  message);
}

void Queue::download(void* to, const void* from, std::size_t bytes) {
  Message message{};
  device_->expect(
      device_->library_.download(device_->number_, queue_.get(), to, from, bytes, &message),
      message);
}

void Queue::start(const Start& start) {
  Message message{};
  device_->expect(device_->library_.start(device_->number_, queue_.get(), &start, &message),
                  message);
}

Queue::Graph Queue::record(const Start* starts, std::size_t count) {
  void* graph = nullptr;
  Message message{};
  device_->expect(
      device_->library_.record(device_->number_, queue_.get(), starts, count, &graph, &message),
      message);
  return {graph, [device = device_](void* recorded) {
            device->library_.forget(device->number_, recorded);
          }};
}

void Queue::run(const Graph& graph) {
  Message message{};
  device_->expect(device_->library_.run(device_->number_, queue_.get(), graph.get(), &message),
                  message);
}

void Queue::finish() {
  Message message{};
  device_->expect(device_->library_.finish(device_->number_, queue_.get(), &message), message);
}

}  // namespace smll::exact::cuda
