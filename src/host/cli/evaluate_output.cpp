#include "cli/evaluate_output.hpp"

#include "cli/json_writer.hpp"
#include "cli/text_table.hpp"
#include "cli/theta.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr const char* kRoutes[] = {"contour", "saddlepoint", "uniformization", "stepping", "closed"};

/// [K] + extents + tail
std::vector<std::size_t> shape(std::size_t num_thetas, const EvaluatedBlock& block) {
  std::vector<std::size_t> extents{num_thetas};
  extents.insert(extents.end(), block.extents.begin(), block.extents.end());
  return extents;
}

/// One object with a member for each block that `has` what is written; nothing where no block has.
template <class Has, class Write>
void write_by_block(JsonWriter& json, const Evaluation& evaluation, const char* name, Has&& has, Write&& write) {
  bool open = false;
  for (const EvaluatedBlock& block : evaluation.blocks) {
    if (!has(block)) continue;
    if (!open) json.key(name).begin_object();
    open = true;
    json.key(block.key);
    write(block);
  }
  if (open) json.end_object();
}

/// [K, N] texts.
template <class TextOf>
void write_texts(JsonWriter& json, const Quantity& quantity, TextOf&& text_of) {
  const std::size_t num_values = quantity.values.num_cols();
  json.begin_array();
  for (std::size_t k = 0; k < quantity.values.num_rows(); ++k) {
    json.begin_array();
    for (std::size_t n = 0; n < num_values; ++n) json.value(text_of(k * num_values + n));
    json.end_array();
  }
  json.end_array();
}

void write_methods(JsonWriter& json, const Evaluation& evaluation) {
  json.key("method").begin_object();
  for (const EvaluatedBlock& block : evaluation.blocks) {
    if (!block.route_counts.empty()) {
      json.key(block.key).begin_object();
      for (std::size_t i = 0; i < block.route_counts.size(); ++i) json.member(kRoutes[i], block.route_counts[i]);
      json.end_object();
    }
    if (block.quantity.method.empty()) continue;
    json.key(block.key);
    write_texts(json, block.quantity, [&](std::size_t at) { return to_string(block.quantity.method[at]); });
  }
  json.end_object();
}

/// What the values rest on: all digits of multi precision as texts; what answered each theta where fp32 was asked for,
/// with the error bounds of its gradients; and whose gradients took 60 digits, or should have.
void write_precision(JsonWriter& json, const Model& model, const Evaluation& evaluation) {
  const auto names = [&](const auto& values) {
    json.begin_array();
    for (const auto value : values) json.value(to_string(value));
    json.end_array();
  };
  write_by_block(
      json, evaluation, "digits", [](const EvaluatedBlock& block) { return !block.quantity.text.empty(); },
      [&](const EvaluatedBlock& block) {
        write_texts(json, block.quantity, [&](std::size_t at) { return block.quantity.text[at]; });
      });
  write_by_block(
      json, evaluation, "precision", [](const EvaluatedBlock& block) { return !block.quantity.precision.empty(); },
      [&](const EvaluatedBlock& block) { names(block.quantity.precision); });
  write_by_block(
      json, evaluation, "gradient_error_bound",
      [](const EvaluatedBlock& block) { return !block.quantity.gradient_error_bound.empty(); },
      [&](const EvaluatedBlock& block) {
        std::vector<std::size_t> extents = shape(evaluation.thetas.num_rows(), block);
        extents.push_back(model.parameters.size());
        json.nested(block.quantity.gradient_error_bound, extents);
      });
  write_by_block(
      json, evaluation, "gradient_precision",
      [](const EvaluatedBlock& block) { return !block.quantity.gradient_digits.empty(); },
      [&](const EvaluatedBlock& block) { names(block.quantity.gradient_digits); });
}

/// As in summary.json.
void write_compression(JsonWriter& json, const CompressionReport& report) {
  json.key("data_compression").begin_object();
  json.member("mode", to_string(report.mode));
  json.member("points", report.num_points);
  json.key("levels").begin_array();
  for (std::size_t i = 0; i < report.level_points.size(); ++i) {
    json.begin_object().member("points", report.level_points[i]);
    json.member("evaluations", report.level_count[i]).end_object();
  }
  json.end_array();
  json.member("exact_evaluations", report.num_exact);
  json.member("worst_error", report.worst_error);
  json.end_object();
}

}  // namespace

std::string evaluation_json(const Model& model, const Evaluation& evaluation) {
  const std::size_t num_thetas = evaluation.thetas.num_rows();
  JsonWriter json;
  json.begin_object();
  json.member("model", model.name);
  json.key("parameters").values(parameter_names(model));
  json.member("variable", evaluation.variable);
  json.key("theta").nested(evaluation.thetas.values(), std::vector<std::size_t>{num_thetas, model.parameters.size()});
  json.key("points").begin_object();
  for (const auto& [key, points] : evaluation.points) json.key(key).values(points);
  json.end_object();
  if (!evaluation.covariance_rewards.empty()) json.key("covariance_rewards").values(evaluation.covariance_rewards);
  bool gradient = false;
  for (const EvaluatedBlock& block : evaluation.blocks) {
    json.key(block.key).nested(block.quantity.values.values(), shape(num_thetas, block));
    gradient = gradient || !block.quantity.gradient.empty();
  }
  if (gradient) {
    json.key("gradient").begin_object();
    for (const EvaluatedBlock& block : evaluation.blocks) {
      if (block.quantity.gradient.empty()) continue;
      std::vector<std::size_t> extents = shape(num_thetas, block);
      extents.push_back(model.parameters.size());
      json.key(block.key).nested(block.quantity.gradient, extents);
    }
    json.end_object();
  }
  write_methods(json, evaluation);
  json.key("error_bound").begin_object();
  for (const EvaluatedBlock& block : evaluation.blocks) {
    if (block.quantity.error_bound.empty()) continue;
    json.key(block.key).nested(block.quantity.error_bound.values(), shape(num_thetas, block));
  }
  json.end_object();
  write_precision(json, model, evaluation);
  if (evaluation.compression) write_compression(json, *evaluation.compression);
  json.key("status").values(evaluation.status);
  return json.end_object().take();
}

std::string evaluation_table(const Model& model, const Evaluation& evaluation) {
  const std::size_t num_parameters = model.parameters.size();
  std::string text = fmt::format("model {}, variable {}\n", model.name, evaluation.variable);
  for (std::size_t k = 0; k < evaluation.thetas.num_rows(); ++k) {
    text +=
        fmt::format("\n{}\n", num_parameters == 0 ? "no parameters" : describe_theta(model, evaluation.thetas.row(k)));
    std::vector<std::string> header{"quantity", "at", "value"};
    for (const Parameter& parameter : model.parameters) header.push_back("d/d" + parameter.name);
    header.insert(header.end(), {"relative error", "method"});
    TextTable table(std::move(header));
    for (const EvaluatedBlock& block : evaluation.blocks) {
      const std::size_t num_values = block.quantity.values.num_cols();
      for (std::size_t n = 0; n < num_values; ++n) {
        const std::size_t at = k * num_values + n;
        std::vector<std::string> row{
            block.key, block.labels[n],
            block.quantity.text.empty() ? format_number(block.quantity.values(k, n)) : block.quantity.text[at]};
        for (std::size_t p = 0; p < num_parameters; ++p) {
          row.push_back(
              block.quantity.gradient.empty() ? "" : format_number(block.quantity.gradient[at * num_parameters + p]));
        }
        row.push_back(block.quantity.error_bound.empty() ? ""
                                                         : fmt::format("{:.1e}", block.quantity.error_bound(k, n)));
        const GradientDigits digits =
            block.quantity.gradient_digits.empty() ? GradientDigits::kDouble : block.quantity.gradient_digits[k];
        row.push_back(digits == GradientDigits::kMulti     ? "gradient in multi"
                      : digits == GradientDigits::kInDoubt ? "gradient in doubt"
                      : !block.quantity.method.empty()     ? to_string(block.quantity.method[at])
                      : !block.quantity.precision.empty()  ? to_string(block.quantity.precision[k])
                                                           : "");
        table.add(std::move(row));
      }
    }
    text += table.text();
    if (evaluation.status[k] != "ok") text += "status: " + evaluation.status[k] + '\n';
  }
  return text;
}

}  // namespace sojourn::cli
