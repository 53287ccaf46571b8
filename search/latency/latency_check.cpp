#include "search/latency/latency_check.h"

#include <cmath>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "arch/base/error.h"
#include "deploy/package/c_package.h"
#include "latency_models/operator_space.h"
#include "search/base/console.h"
#include "search/base/stop_signal.h"
#include "search/base/text.h"
#include "search/engine/latency_file.h"
#include "search/package/package_files.h"
#include "search/package/package_runner.h"
#include "search/package/untrained_network.h"
#include "search/report/estimate.h"

namespace patchnas {

double kendall_tau(const std::vector<double>& a, const std::vector<double>& b) {
  double agreeing = 0.0;
  double ordered_a = 0.0;
  double ordered_b = 0.0;
  const auto sign = [](double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double sign_a = sign(a[i] - a[j]);
      const double sign_b = sign(b[i] - b[j]);
      agreeing += sign_a * sign_b;
      ordered_a += std::abs(sign_a);
      ordered_b += std::abs(sign_b);
    }
  }
  return agreeing / std::sqrt(ordered_a * ordered_b);
}

std::string check_latency(const Config& config, RunTarget target, const std::string& table,
                          int candidates) {
  const std::optional<Core> core = core_of(target);
  if (!core) {
    throw InputError("--check: counts instructions, on emulated cores");
  }
  Target limits = config.target;
  limits.core = *core;
  limits.latency_table = table;
  const std::unique_ptr<LatencyModel> model = latency_model_for(limits);
  RandomStream stream(config.seed, "latency/check");
  Progress progress("check", "candidates", 0, candidates);
  std::vector<double> predicted;
  std::vector<double> measured;
  double error = 0.0;
  double worst = 0.0;
  std::string text = fmt::format("{:>14} {:>14} {:>8} {:>11}  {}\n", "predicted", "measured",
                                 "error", "unmeasured", "schedule");
  for (int i = 0; i < candidates; ++i) {
    throw_if_stopped();
    const Network network = lower(config.space, sample(config.space, stream));
    const PatchSchedule schedule =
        stream.pick(sampled_schedules(network, config.space.schedules, stream));
    const LatencyReport report =
        latency_report(network, ExecutionPlan(network, schedule, InputMode::kResident), *model);

    const TemporaryFolder folder;
    write_package(make_c_package(untrained_network(network, stream), schedule, InputMode::kResident,
                                 "candidate"),
                  folder.path());
    const PackageFolder package(folder.path());
    const std::vector<std::int8_t> image(static_cast<std::size_t>(package.input_bytes), 1);
    const PackageRun run =
        PackageRunner(package, target, Rounding::kDouble, Profiling::kOff).run(image);
    const auto actual = static_cast<double>(*run.instructions);
    const double of_this = report.total / actual - 1.0;
    predicted.push_back(report.total);
    measured.push_back(actual);
    error += std::abs(of_this);
    worst = std::max(worst, std::abs(of_this));
    text += fmt::format("{:>14} {:>14} {:>+7.2f}% {:>10.1f}%  {}\n",
                        with_separators(std::llround(report.total)),
                        with_separators(std::llround(actual)), 100.0 * of_this,
                        100.0 * report.predicted / report.total, describe(network, schedule));
    progress.update(i + 1);
  }
  return text +
         fmt::format("\n{} on {}: mean error {:.2f} %, worst {:.2f} %, Kendall's tau {:.4f}\n",
                     counted(candidates, "candidate"), to_string(target),
                     100.0 * error / candidates, 100.0 * worst, kendall_tau(predicted, measured));
}

}  // namespace patchnas
