// A trainer on libtorch: submits its parameters, gradients and all, as the at::Tensors they are.
//
//     trainer DIGITS [--epochs N] [--lr X]
#include <torch/torch.h>

#include <eigenscope/torch.hpp>

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "../mlp/mlp.h"

namespace {

torch::nn::Sequential network() {
  torch::nn::Sequential net;
  const int sizes[] = {MLP_PIXELS, 256, 256, 128, MLP_DIGITS};
  for (int i = 0; i < MLP_LAYERS; i++) {
    net->push_back("fc" + std::to_string(i + 1), torch::nn::Linear(sizes[i], sizes[i + 1]));
    if (i + 1 < MLP_LAYERS) net->push_back("relu" + std::to_string(i + 1), torch::nn::ReLU());
  }
  return net;
}

// Runs in poll(), on this thread.
void tell(const eigenscope::ReportView &report, const eigenscope::Verdict &verdict) {
  std::printf("  spectra of epoch %.0f:", verdict.epoch);
  for (size_t row = 0; row < report.rows(); row++) {
    const double alpha = report.number(row, "alpha");
    // Gradients have rows too.
    if (alpha == alpha && report.text(row, "role") == "weight") std::printf(" %s alpha %.2f", report.text(row, "name").c_str(), alpha);
  }
  std::printf("%s%s\n", verdict.reason.empty() ? "" : "; ", verdict.reason.c_str());
}

// The engine beside libtorch's own solver: the spectrum of one layer by both; the largest deviation, relative to the largest value.
double deviation(const eigenscope::Engine &engine, const at::Tensor &weight) {
  const at::Tensor plain = weight.detach().to(at::kCPU);
  const eigenscope::Esd esd = engine.esd("layer", eigenscope::view(plain));
  const at::Tensor singular = std::get<1>(plain.to(at::kDouble).svd(true, false));
  const at::Tensor expected = singular.square().flip(0).contiguous();
  double largest = 0;
  for (int64_t i = 0; i < expected.numel(); i++)
    largest = std::max(largest, std::abs(esd.begin()[i] - expected.const_data_ptr<double>()[i]));
  return largest / expected.max().item<double>();
}

void train(const std::string &digits, int epochs, double learning_rate) {
  const auto data = std::make_unique<mlp_data>();
  if (mlp_data_read(data.get(), digits.c_str()) != 0)
    throw std::runtime_error(digits + ": not the digits that examples/mlp/make_digits.py makes");
  const at::Tensor pixels = torch::from_blob(data->pixels, {MLP_IMAGES, MLP_PIXELS});
  const at::Tensor labels = torch::from_blob(data->digits, {MLP_IMAGES}, torch::kUInt8).to(torch::kLong);
  const auto rest = torch::indexing::Slice(MLP_TRAINING, torch::indexing::None);

  torch::manual_seed(1);
  torch::nn::Sequential net = network();
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(learning_rate).momentum(0.9));

  eigenscope::MonitorOptions options;
  options.flags = EGS_MONITOR_CALL_IN_POLL;
  // Epochs here take less time than some analyses: let them wait in line, for none is to be missed.
  options.queue = 64;
  options.on_epoch = tell;
  const eigenscope::Monitor monitor(options);
  std::string alarm;
  bool stopped = false;
  const auto listen = [&] {
    for (eigenscope::Verdict verdict = monitor.poll(); verdict.fresh; verdict = monitor.poll()) {
      stopped |= verdict.level == eigenscope::Level::stop;
      if (alarm.empty() && (stopped || verdict.level == eigenscope::Level::warn))
        alarm = (stopped ? "STOP" : "WARN") + (" at epoch " + std::to_string(static_cast<int>(verdict.epoch))) + ", " + verdict.layer;
    }
  };
  for (int epoch = 1; epoch <= epochs && !stopped; epoch++) {
    const at::Tensor order = torch::randperm(MLP_TRAINING);
    double loss = 0;
    for (const at::Tensor &batch : order.split(32)) {
      optimizer.zero_grad();
      const at::Tensor batch_loss = torch::cross_entropy_loss(net->forward(pixels.index_select(0, batch)), labels.index_select(0, batch));
      batch_loss.backward();
      optimizer.step();
      loss += batch_loss.item<double>() * static_cast<double>(batch.numel()) / int{MLP_TRAINING};
    }
    double accuracy;
    {
      const torch::NoGradGuard no_grad;
      accuracy = net->forward(pixels.index({rest})).argmax(1).eq(labels.index({rest})).to(torch::kDouble).mean().item<double>();
    }
    std::printf("epoch %d: loss %.4f, accuracy %.3f\n", epoch, loss, accuracy);
    for (const auto &parameter : net->named_parameters()) {
      eigenscope::submit(monitor, parameter.key(), parameter.value());
      eigenscope::submit(monitor, parameter.key(), parameter.value().grad(), EGS_ROLE_GRADIENT);
    }
    monitor.metric("accuracy", accuracy);
    monitor.commit(static_cast<uint64_t>(epoch), epoch, loss);
    listen();
  }
  monitor.wait(60000);
  listen();
  std::printf("%s\n", alarm.empty() ? "no alarm" : alarm.c_str());

  const eigenscope::Engine engine;
  for (const auto &parameter : net->named_parameters())
    if (parameter.value().dim() == 2 && !stopped)
      std::printf("%s: eigenvalues within %.0e of libtorch's, of the transposed view within %.0e\n", parameter.key().c_str(),
                  deviation(engine, parameter.value()), deviation(engine, parameter.value().t()));
}

}  // namespace

int main(int argc, char **argv) try {
  int epochs = 12;
  double learning_rate = 0.05;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--epochs")) epochs = std::stoi(argv[i + 1]);
    else if (!std::strcmp(argv[i], "--lr")) learning_rate = std::stod(argv[i + 1]);
    else argc = 0;
  }
  if (argc < 2 || argc % 2) {
    std::fprintf(stderr, "usage: %s digits.bin [--epochs N] [--lr X]\n", argv[0]);
    return 2;
  }
  // The monitor has a core of its own; libtorch's threads would wait for each other on a network this small.
  torch::set_num_threads(1);
  train(argv[1], epochs, learning_rate);
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "trainer: %s\n", error.what());
  return 1;
}
