/* What the trainers here train: a multilayer perceptron, 64-256-256-128-10 with ReLU between, on 8 x 8 digits, by stochastic gradient
 * descent with momentum. Plain C99, no library; it knows nothing of Eigenscope. */
#ifndef MLP_H
#define MLP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MLP_LAYERS = 4, MLP_PIXELS = 64, MLP_DIGITS = 10, MLP_IMAGES = 1797, MLP_TRAINING = 1347 };

/* The images as numbers from 0 to 1; the first MLP_TRAINING are to learn from, the others to test with. */
typedef struct mlp_data {
  float pixels[MLP_IMAGES][MLP_PIXELS];
  uint8_t digits[MLP_IMAGES];
} mlp_data;

/* Reads digits.bin; 0 on success. */
int mlp_data_read(mlp_data *data, const char *path);

/* One layer; matrices are `outputs` x `inputs`, row after row. */
typedef struct mlp_layer {
  char name[8];
  int inputs, outputs;
  float rate; /* multiplies the learning rate; 1 at first */
  float *weight, *weight_gradient, *weight_momentum;
  float *bias, *bias_gradient, *bias_momentum;
} mlp_layer;

typedef struct mlp {
  mlp_layer layers[MLP_LAYERS];
  uint64_t random;
} mlp;

/* A network with Gaussian weights of variance 2 / inputs; NULL if memory is short. The same seed gives the same network. */
mlp *mlp_new(uint64_t seed);
void mlp_free(mlp *net);

/* One pass over the training images in random order, in batches of 32; the mean cross-entropy in nats. */
double mlp_train(mlp *net, const mlp_data *data, float learning_rate, float momentum);

/* Share of the test images that are recognised. */
double mlp_accuracy(const mlp *net, const mlp_data *data);

#ifdef __cplusplus
}
#endif
#endif
