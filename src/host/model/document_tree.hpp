#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/document.hpp"

namespace sojourn {

/// Storage of a Document: one small item a value, texts and child lists in common pools.
struct Document::Tree {
  struct Item {
    ValueKind kind;
    bool quoted;
    std::int32_t line, column;  ///< from 1
    std::int32_t parent;        ///< item, -1 for the root
    std::int32_t key;           ///< in `keys`, -1 outside mappings
    std::uint32_t begin, size;  ///< in `text` for scalars, in `children` for lists and mappings
  };
  struct Key {
    std::uint32_t begin, size;
    std::int32_t line, column;
  };
  std::string origin;
  std::vector<Item> items;
  std::vector<Key> keys;
  std::vector<std::int32_t> children;
  std::string text;
  std::int32_t root = 0;

  [[nodiscard]] std::string_view item_text(const Item& item) const {
    return std::string_view(text).substr(item.begin, item.size);
  }
  [[nodiscard]] std::string_view key_text(std::int32_t key) const {
    return key < 0 ? std::string_view() : std::string_view(text).substr(keys[key].begin, keys[key].size);
  }
};

}  // namespace sojourn
