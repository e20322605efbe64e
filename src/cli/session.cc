#include "cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/sharing.h"

namespace smll::cli {
namespace {

ModelOptions with_notice(ModelOptions options, int verbosity) {
  if (verbosity >= 0) options.notice = [](const std::string& text) { say(text); };
  return options;
}

// "" where nothing is written.
std::string target_if_any(const Args& args, const std::string& path) {
  if (args.action == Action::kTest || args.to_stdout) return "";
  try {
    return target_of(args, path);
  } catch (const Error&) {  // the job says so
    return "";
  }
}

Run run_of(Args args) {
  if (named_descriptor(args.output) == STDOUT_FILENO) args.to_stdout = true;
  Model model(with_notice(args.model, args.verbosity));
  return {std::move(args), std::move(model), {}};
}

}  // namespace

Session::Session(Args args)
    : run_(run_of(std::move(args))), progress_(run_), queue_(parts_of(run_.args), *this) {}

int Session::run() {
  prepare_outputs();
  const auto start = std::chrono::steady_clock::now();
  InputWalk walk(run_, *this);
  for (const std::string& input : run_.args.inputs) walk.walk(input);
  queue_.finish();
  progress_.clear();
  totals_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!run_.args.stats_path.empty()) {
    Outcome outcome(run_.args.verbosity);
    try {
      write_stats();
    } catch (const Error& error) {
      outcome.fail("--stats", error);
    }
    report(outcome);
  }
  return status_;
}

bool Session::writes_standard_output() const {
  if (run_.args.action == Action::kTest) return false;
  const bool from_standard_input =
      std::find(run_.args.inputs.begin(), run_.args.inputs.end(), "-") != run_.args.inputs.end();
  return run_.args.action == Action::kList || run_.args.to_stdout ||
         (run_.args.output.empty() && from_standard_input);
}

void Session::prepare_outputs() {
  if (writes_standard_output()) {
    const struct stat status = status_of(STDOUT_FILENO);
    if (S_ISREG(status.st_mode)) run_.own.insert(id_of(status));
  }
  if (run_.args.stats_path.empty()) return;
  const bool to_stdout =
      run_.args.stats_path == "-" || named_descriptor(run_.args.stats_path) == STDOUT_FILENO;
  const std::optional<struct stat> there = status_behind(run_.args.stats_path);
  if (writes_standard_output() && (to_stdout || (there && run_.own.contains(id_of(*there))))) {
    throw Error(ErrorKind::kUsage,
                "--stats and the data would both go to standard output; write one to a file");
  }
  if (to_stdout || !there || !S_ISREG(there->st_mode)) return;
  check_stats(*there);
  run_.own.insert(id_of(*there));
}

void Session::check_stats(const struct stat& there) const {
  for (const std::string& input : run_.args.inputs) {
    const std::optional<struct stat> status = status_behind(input);
    if (input != "-" && status && id_of(*status) == id_of(there)) {
      throw Error(ErrorKind::kUsage, "--stats would overwrite the input " + input);
    }
  }
  if (!run_.args.force && !named_descriptor(run_.args.stats_path)) {
    throw Error(ErrorKind::kIo, run_.args.stats_path + " already exists; use -f to overwrite it");
  }
}

void Session::write_stats() const {
  const std::string text = stats_text(run_.args, totals_, run_.model.info());
  if (const std::optional<Descriptor> descriptor = open_in_place(run_.args.stats_path)) {
    const bool standard = descriptor->get() == STDOUT_FILENO;
    DescriptorSink(descriptor->get(), standard ? "standard output" : run_.args.stats_path)
        .write(bytes_of(text));
    return;
  }
  const std::optional<struct stat> there = status_behind(run_.args.stats_path);
  if (there && touched_.contains(id_of(*there))) {
    throw Error(ErrorKind::kUsage, "statistics do not overwrite a file of the same run");
  }
  OutputFile output(run_.args.stats_path, run_.args.force);
  output.write(bytes_of(text));
  output.commit(nullptr);
}

void Session::before(const std::string& path) {
  if (path != "-") queue_.settle(path);
}

void Session::work_on(const std::string& path) {
  if (run_.args.action == Action::kList) {
    Outcome outcome(run_.args.verbosity);
    list_archive(path, outcome);
    return report(outcome);
  }
  auto job = std::make_unique<FileJob>(run_, path);
  if (const unsigned parts = parts_for(run_.args, path)) {
    const std::string target = target_if_any(run_.args, path);
    if (!target.empty()) queue_.settle(target);
    queue_.start(std::move(job), parts, target);
  } else {
    queue_.finish();
    work_alone(*job);
    report(job->outcome());
  }
}

void Session::leave(Outcome outcome) { queue_.add(std::move(outcome)); }

void Session::report(Outcome& outcome) {
  progress_.clear();
  outcome.release();
  if (status_ == 0) status_ = outcome.status();
  if (outcome.done) totals_.add(outcome.stats, run_.args.action == Action::kCompress);
  // Nobody else asks, and files may be many.
  if (!run_.args.stats_path.empty())
    touched_.insert(outcome.touched.begin(), outcome.touched.end());
  ++files_;
}

void Session::work_alone(FileJob& job) {
  progress_.clear();
  job.work_alone();
}

void Session::tick() { progress_.update(files_, totals_, queue_.so_far()); }

void Session::list_archive(const std::string& path, Outcome& outcome) {
  FileSource source(path);
  touched_.insert(id_of(source.status()));
  if (run_.own.contains(id_of(source.status()))) throw same_file();
  const ArchiveInfo info = list(source);
  if (!std::exchange(listed_, true)) print_list_heading();
  print_list_line(shown(path), info);
  if (run_.args.verbosity > 0) print_list_frames(info);
  outcome.note_padding(path, info.padding);
  outcome.done = true;
}

}  // namespace smll::cli
