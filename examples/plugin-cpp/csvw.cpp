// A plugin in C++17 for a matrix in text (.csvw): rows on lines, numbers between commas, as many in every row.
//
// What is thrown here ends at the functions that plugin.hpp makes of this class: it fails one call, with its message.
#include <eigenscope/plugin.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plugin = eigenscope::plugin;

namespace {

// Takes the text up to `separator` off the front of `text`.
std::string_view next(std::string_view &text, char separator) {
  const auto end = text.find(separator);
  const auto piece = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return piece;
}

std::string_view next_line(std::string_view &text) {
  auto line = next(text, '\n');
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

size_t cells(std::string_view line) {
  size_t commas = 0;
  for (const char c : line) commas += c == ',';
  return commas + 1;
}

plugin::Refused malformed(size_t row, const std::string &what) {
  return plugin::Refused(EGS_ERR_INVALID_DATA, "row " + std::to_string(row) + ": " + what);
}

// std::stod follows LC_NUMERIC: in a program that has set a decimal comma, "1.5" is refused, not misread.
double number(std::string_view cell, size_t row, size_t column) {
  const std::string text(cell);
  const auto expected = [&] {
    return malformed(row, "column " + std::to_string(column) + ": expected a number, found '" + text.substr(0, 40) + "'");
  };
  try {
    size_t used = 0;
    const double value = std::stod(text, &used);
    if (text.find_first_not_of(" \t", used) != std::string::npos) throw expected();
    return value;
  } catch (const std::invalid_argument &) {
    throw expected();
  }
  // std::out_of_range, of a number no double holds, is left to plugin.hpp.
}

class Matrix : public plugin::Model {
 public:
  // Reads the structure; the numbers wait for read().
  explicit Matrix(std::string_view text) : text_(text) {
    // The format has no signature: at least its first word has to be a number.
    auto rest = text;
    auto first = next_line(rest);
    if (!text.empty()) number(next(first, ','), 1, 1);
    for (size_t row = 1; !text.empty(); row++) {
      const size_t found = cells(next_line(text));
      if (row == 1) columns_ = found;
      if (found != columns_) {
        throw malformed(row, "expected " + std::to_string(columns_) + " numbers as in the first row, found " + std::to_string(found));
      }
      rows_ = row;
    }
    if (rows_ == 0) throw plugin::Refused(EGS_ERR_INVALID_DATA, "expected a row of numbers, found an empty file");
    plugin::Info info;
    info.name = "weight";
    info.shape = {static_cast<int64_t>(rows_), static_cast<int64_t>(columns_)};
    info.dtype = EGS_F64;
    tensors_.push_back(info);
  }

  const std::vector<plugin::Info> &tensors() const override { return tensors_; }

  plugin::Elements read(size_t) override {
    auto values = std::make_shared<std::vector<double>>();
    // Not more than eight times the file, which has a comma or a line's end for each.
    values->reserve(rows_ * columns_);
    auto text = text_;
    for (size_t row = 1; row <= rows_; row++) {
      auto line = next_line(text);
      for (size_t column = 1; column <= columns_; column++) values->push_back(number(next(line, ','), row, column));
    }
    const double *first = values->data();
    return plugin::Elements(std::move(values), first);
  }

 private:
  std::string_view text_;  // the input, which outlives the model
  size_t rows_ = 0, columns_ = 0;
  std::vector<plugin::Info> tensors_;
};

struct Csvw {
  static constexpr const char *name = "csvw", *version = "1.0.0", *extensions = "csvw";

  static int32_t probe(std::string_view file, std::string_view, uint64_t) {
    constexpr std::string_view extension = ".csvw";
    return file.size() >= extension.size() && file.substr(file.size() - extension.size()) == extension ? 20 : 0;
  }

  static std::unique_ptr<plugin::Model> open(const egs_input &input) {
    return std::make_unique<Matrix>(std::string_view(static_cast<const char *>(input.data), static_cast<size_t>(input.size)));
  }
};

}  // namespace

EGS_EXPORT_LOADER(Csvw)
