#include "sojourn/prc.hpp"
