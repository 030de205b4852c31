#include "expects.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

const char* to_string(DataCompression mode) { return mode == DataCompression::kOff ? "off" : "auto"; }

DataCompression data_compression_from(const std::string& name) {
  SOJOURN_EXPECTS(name == "off" || name == "auto", UsageError, "data compression '{}' is unknown; it is auto or off",
                  name);
  return name == "off" ? DataCompression::kOff : DataCompression::kAuto;
}

}  // namespace sojourn
