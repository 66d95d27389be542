/* Needs the headers and links nothing. */
#include <eigenscope/plugin.h>

const egs_loader none = {.struct_size = sizeof(egs_loader)};
