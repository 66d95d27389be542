// A trainer in C++ that listens to the spectra of its weights: it ends early when told that going on makes no sense, keeps a copy of
// the weights when told that they are worth one, and writes what was seen to a CSV file.
//
//     trainer DIGITS [--epochs N] [--lr X] [--hot LAYER FACTOR] [--history FILE]
#include <eigenscope/eigenscope.hpp>

#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "../mlp/mlp.h"

namespace {

struct Settings {
  std::string digits;
  int epochs = 20;
  float learning_rate = 0.05f;
  std::string hot_layer;  // learns `hot_factor` times as fast as the others
  float hot_factor = 1;
  std::string history = "history.csv";
};

using Network = std::unique_ptr<mlp, void (*)(mlp *)>;

// The weights at a moment.
class Snapshot {
 public:
  void take(const mlp &net, int epoch) {
    epoch_ = epoch;
    weights_.clear();
    for (const mlp_layer &layer : net.layers)
      weights_.emplace_back(layer.weight, layer.weight + layer.inputs * layer.outputs);
  }
  int epoch() const { return epoch_; }

 private:
  int epoch_ = 0;
  std::vector<std::vector<float>> weights_;
};

void submit(const eigenscope::Monitor &monitor, const mlp &net) {
  for (const mlp_layer &layer : net.layers) {
    const std::string name = layer.name;
    monitor.submit(name + ".weight", eigenscope::Tensor(layer.weight, {layer.outputs, layer.inputs}));
    monitor.submit(name + ".bias", eigenscope::Tensor(layer.bias, {layer.outputs}));
  }
}

// Runs in poll(), on this thread.
void tell(const eigenscope::ReportView &report, const eigenscope::Verdict &verdict) {
  std::printf("  spectra of epoch %.0f:", verdict.epoch);
  for (size_t row = 0; row < report.rows(); row++) {
    const double alpha = report.number(row, "alpha");
    if (alpha == alpha) std::printf(" %s alpha %.2f", report.text(row, "name").c_str(), alpha);
  }
  std::printf("%s%s\n", verdict.reason.empty() ? "" : "; ", verdict.reason.c_str());
}

void train(const Settings &settings) {
  const auto data = std::make_unique<mlp_data>();
  if (mlp_data_read(data.get(), settings.digits.c_str()) != 0)
    throw std::runtime_error(settings.digits + ": not the digits that examples/mlp/make_digits.py makes");
  const Network net(mlp_new(1), mlp_free);
  if (!net) throw std::bad_alloc();
  for (mlp_layer &layer : net->layers)
    if (settings.hot_layer == layer.name) layer.rate = settings.hot_factor;

  eigenscope::MonitorOptions options;
  options.flags = EGS_MONITOR_CALL_IN_POLL;
  // Epochs here take less time than some analyses: let them wait in line, for none is to be missed.
  options.queue = 64;
  options.on_epoch = tell;
  const eigenscope::Monitor monitor(options);
  Snapshot best;
  std::string alarm;
  bool stopped = false;

  // All that is new; the first that is an alarm is remembered.
  const auto listen = [&] {
    for (eigenscope::Verdict verdict = monitor.poll(); verdict.fresh; verdict = monitor.poll()) {
      if (verdict.level == eigenscope::Level::snapshot) {
        best.take(*net, static_cast<int>(verdict.epoch));
        continue;
      }
      const bool stop = verdict.level == eigenscope::Level::stop;
      if (verdict.level != eigenscope::Level::none && (alarm.empty() || (stop && !stopped)))
        alarm = (stop ? "STOP" : "WARN") + (" at epoch " + std::to_string(static_cast<int>(verdict.epoch))) + ", " + verdict.layer;
      stopped |= stop;
    }
  };
  for (int epoch = 1; epoch <= settings.epochs && !stopped; epoch++) {
    const double loss = mlp_train(net.get(), data.get(), settings.learning_rate, 0.9f);
    const double accuracy = mlp_accuracy(net.get(), data.get());
    std::printf("epoch %d: loss %.4f, accuracy %.3f\n", epoch, loss, accuracy);
    submit(monitor, *net);
    monitor.metric("accuracy", accuracy);
    monitor.commit(static_cast<uint64_t>(epoch), epoch, loss);
    listen();
  }
  monitor.wait(60000);
  listen();

  std::ofstream(settings.history) << monitor.history().csv();
  std::printf("history in %s\n", settings.history.c_str());
  if (best.epoch()) std::printf("a copy of the weights was taken for epoch %d\n", best.epoch());
  std::printf("%s\n", alarm.empty() ? "no alarm" : alarm.c_str());
}

bool parse(int argc, char **argv, Settings *settings) {
  if (argc < 2) return false;
  settings->digits = argv[1];
  for (int i = 2; i < argc; i++) {
    const std::string option = argv[i];
    const int values = option == "--hot" ? 2 : 1;
    if (i + values >= argc) return false;
    if (option == "--epochs") settings->epochs = std::stoi(argv[i + 1]);
    else if (option == "--lr") settings->learning_rate = std::stof(argv[i + 1]);
    else if (option == "--history") settings->history = argv[i + 1];
    else if (option == "--hot") settings->hot_layer = argv[i + 1], settings->hot_factor = std::stof(argv[i + 2]);
    else return false;
    i += values;
  }
  return true;
}

}  // namespace

int main(int argc, char **argv) try {
  Settings settings;
  if (!parse(argc, argv, &settings)) {
    std::fprintf(stderr, "usage: %s digits.bin [--epochs N] [--lr X] [--hot LAYER FACTOR] [--history FILE]\n", argv[0]);
    return 2;
  }
  train(settings);
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "trainer: %s\n", error.what());
  return 1;
}
