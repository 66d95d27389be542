// The same in C++.
#include <eigenscope/eigenscope.hpp>

#include <cstdio>
#include <vector>

int main() {
  std::vector<float> weights(64 * 32);
  uint32_t state = 1;
  for (float &w : weights) {
    state = state * 1664525u + 1013904223u;
    w = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  eigenscope::Engine engine;
  double alpha = engine.analyze("fc.weight", eigenscope::Tensor(weights.data(), {64, 32})).mean("alpha");
  std::printf("%s: alpha %.6f\n", egs_version_string(), alpha);
  return alpha > 1 ? 0 : 1;
}
