#include "mlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 256, BATCH = 32 };

static const int sizes[MLP_LAYERS + 1] = {MLP_PIXELS, 256, 256, 128, MLP_DIGITS};

int mlp_data_read(mlp_data *data, const char *path) {
  unsigned char row[MLP_PIXELS + 1];
  FILE *file = fopen(path, "rb");
  int image, pixel;
  if (!file) return -1;
  for (image = 0; image < MLP_IMAGES && fread(row, sizeof row, 1, file) == 1 && row[MLP_PIXELS] < MLP_DIGITS; image++) {
    for (pixel = 0; pixel < MLP_PIXELS; pixel++) data->pixels[image][pixel] = (float)row[pixel] / 16.0f;
    data->digits[image] = row[MLP_PIXELS];
  }
  fclose(file);
  return image == MLP_IMAGES ? 0 : -1;
}

/* SplitMix64: 0 up to, not including, 1. */
static double uniform(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double gaussian(uint64_t *state) {
  const double radius = sqrt(-2.0 * log(1.0 - uniform(state)));
  return radius * cos(6.283185307179586 * uniform(state));
}

mlp *mlp_new(uint64_t seed) {
  mlp *net = (mlp *)calloc(1, sizeof *net);
  int i, k;
  if (!net) return NULL;
  net->random = seed;
  for (i = 0; i < MLP_LAYERS; i++) {
    mlp_layer *layer = &net->layers[i];
    const int inputs = sizes[i], outputs = sizes[i + 1];
    float *block = (float *)calloc((size_t)3 * (size_t)outputs * (size_t)(inputs + 1), sizeof *block);
    if (!block) {
      mlp_free(net);
      return NULL;
    }
    snprintf(layer->name, sizeof layer->name, "fc%d", i + 1);
    layer->inputs = inputs;
    layer->outputs = outputs;
    layer->rate = 1;
    layer->weight = block;
    layer->weight_gradient = layer->weight + outputs * inputs;
    layer->weight_momentum = layer->weight_gradient + outputs * inputs;
    layer->bias = layer->weight_momentum + outputs * inputs;
    layer->bias_gradient = layer->bias + outputs;
    layer->bias_momentum = layer->bias_gradient + outputs;
    for (k = 0; k < outputs * inputs; k++) layer->weight[k] = (float)(gaussian(&net->random) * sqrt(2.0 / inputs));
  }
  return net;
}

void mlp_free(mlp *net) {
  int i;
  if (!net) return;
  for (i = 0; i < MLP_LAYERS; i++) free(net->layers[i].weight);
  free(net);
}

/* Eight sums, which a compiler may keep in one register. */
static float dot(const float *a, const float *b, int n) {
  float sums[8] = {0};
  float sum = 0;
  int i, k;
  for (i = 0; i < n; i += 8)
    for (k = 0; k < 8; k++) sums[k] += a[i + k] * b[i + k];
  for (k = 0; k < 8; k++) sum += sums[k];
  return sum;
}

/* `y` += `scale` * `x`. */
static void add(float *y, float scale, const float *x, int n) {
  int i;
  for (i = 0; i < n; i++) y[i] += scale * x[i];
}

/* The outputs of every layer; those of the last are not yet probabilities. */
static void forward(const mlp *net, const float *pixels, float outputs[MLP_LAYERS][WIDEST]) {
  const float *x = pixels;
  int i, o;
  for (i = 0; i < MLP_LAYERS; i++) {
    const mlp_layer *layer = &net->layers[i];
    for (o = 0; o < layer->outputs; o++) {
      const float y = layer->bias[o] + dot(layer->weight + o * layer->inputs, x, layer->inputs);
      outputs[i][o] = i == MLP_LAYERS - 1 || !(y < 0) ? y : 0;
    }
    x = outputs[i];
  }
}

/* Adds one image's gradients; its cross-entropy. */
static double backward(mlp *net, const float *pixels, int digit) {
  float outputs[MLP_LAYERS][WIDEST], delta[2][WIDEST];
  float *last = outputs[MLP_LAYERS - 1], largest;
  double total = 0, loss;
  int i, o;
  forward(net, pixels, outputs);
  largest = last[0];
  for (o = 1; o < MLP_DIGITS; o++) largest = last[o] > largest ? last[o] : largest;
  for (o = 0; o < MLP_DIGITS; o++) total += exp((double)last[o] - (double)largest);
  loss = log(total) + (double)largest - (double)last[digit];
  for (o = 0; o < MLP_DIGITS; o++)
    delta[(MLP_LAYERS - 1) % 2][o] = (float)(exp((double)last[o] - (double)largest) / total) - (o == digit ? 1.0f : 0.0f);
  for (i = MLP_LAYERS - 1; i >= 0; i--) {
    mlp_layer *layer = &net->layers[i];
    const float *x = i ? outputs[i - 1] : pixels, *dy = delta[i % 2];
    float *dx = delta[(i + 1) % 2];
    memset(dx, 0, sizeof delta[0]);
    for (o = 0; o < layer->outputs; o++) {
      if (dy[o] == 0) continue;
      add(layer->weight_gradient + o * layer->inputs, dy[o], x, layer->inputs);
      layer->bias_gradient[o] += dy[o];
      if (i) add(dx, dy[o], layer->weight + o * layer->inputs, layer->inputs);
    }
    for (o = 0; i && o < layer->inputs; o++)
      if (x[o] == 0) dx[o] = 0;
  }
  return loss;
}

static void descend(float *x, float *momentum, float *gradient, int n, float learning_rate, float keep, int batch) {
  int k;
  for (k = 0; k < n; k++) {
    momentum[k] = keep * momentum[k] + gradient[k] / (float)batch;
    x[k] -= learning_rate * momentum[k];
    gradient[k] = 0;
  }
}

double mlp_train(mlp *net, const mlp_data *data, float learning_rate, float momentum) {
  int order[MLP_TRAINING], at, i;
  double loss = 0;
  for (at = 0; at < MLP_TRAINING; at++) {
    const int other = (int)(uniform(&net->random) * (at + 1));
    order[at] = order[other];
    order[other] = at;
  }
  for (at = 0; at < MLP_TRAINING;) {
    const int start = at;
    for (; at < MLP_TRAINING && at < start + BATCH; at++)
      loss += backward(net, data->pixels[order[at]], data->digits[order[at]]);
    for (i = 0; i < MLP_LAYERS; i++) {
      mlp_layer *layer = &net->layers[i];
      const float rate = learning_rate * layer->rate;
      descend(layer->weight, layer->weight_momentum, layer->weight_gradient, layer->outputs * layer->inputs, rate, momentum, at - start);
      descend(layer->bias, layer->bias_momentum, layer->bias_gradient, layer->outputs, rate, momentum, at - start);
    }
  }
  return loss / MLP_TRAINING;
}

double mlp_accuracy(const mlp *net, const mlp_data *data) {
  float outputs[MLP_LAYERS][WIDEST];
  int image, o, right = 0;
  for (image = MLP_TRAINING; image < MLP_IMAGES; image++) {
    const float *last = outputs[MLP_LAYERS - 1];
    int best = 0;
    forward(net, data->pixels[image], outputs);
    for (o = 1; o < MLP_DIGITS; o++) best = last[o] > last[best] ? o : best;
    right += best == data->digits[image];
  }
  return (double)right / (MLP_IMAGES - MLP_TRAINING);
}
