#include "server/config_file.h"

#include "base/status.h"
#include "base/text.h"

#include <yaml-cpp/yaml.h>

#include <set>
#include <string>

namespace talosmq::server {
namespace {

// Aliases let a short text stand for any number of nodes at any depth.
constexpr int kDepthMax = 8;
constexpr size_t kEntriesMax = 1000;

class Flattener {
 public:
  explicit Flattener(std::string_view name) : name_(name) {}

  absl::Status AddMap(const YAML::Node& map, const std::string& prefix, int depth) {
    if (depth > kDepthMax) return Invalid(map, "is nested too deeply");
    for (const auto& child : map) {
      if (!child.first.IsScalar()) return Invalid(child.first, "a key is a word");
      TALOSMQ_RETURN_IF_ERROR(Add(child.second, prefix + child.first.Scalar(), depth));
    }
    return absl::OkStatus();
  }

  std::vector<ConfigEntry> Take() { return std::move(entries_); }

 private:
  absl::Status Add(const YAML::Node& node, const std::string& key, int depth) {
    if (node.IsMap()) return AddMap(node, key + ".", depth + 1);
    if (!keys_.insert(key).second) {
      return Invalid(node, base::StrCat(base::Printable(key, 100), " is set twice"));
    }
    if (entries_.size() >= kEntriesMax) return Invalid(node, "these are more keys than there are");
    TALOSMQ_ASSIGN_OR_RETURN(std::string value, ValueOf(node, key));
    entries_.push_back({.key = key, .value = std::move(value), .origin = Place(node)});
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ValueOf(const YAML::Node& node, const std::string& key) const {
    if (node.IsNull()) return std::string();
    if (node.IsScalar()) return node.Scalar();
    std::string list;
    for (const YAML::Node& item : node) {
      if (!item.IsScalar()) break;
      list += (list.empty() ? "" : ",") + item.Scalar();
    }
    if (list.empty() || list.size() > kConfigFileBytesMax) {
      const std::string name = base::Printable(key, 100);
      return Invalid(node, base::StrCat(name, " takes a word or a list of words"));
    }
    return list;
  }

  std::string Place(const YAML::Node& node) const {
    return base::StrCat(name_, " line ", node.Mark().line + 1);
  }

  absl::Status Invalid(const YAML::Node& node, std::string_view words) const {
    return MakeError(Reason::kInvalidConfig, base::StrCat(Place(node), ": ", words));
  }

  std::string_view name_;
  std::set<std::string> keys_;
  std::vector<ConfigEntry> entries_;
};

}  // namespace

absl::StatusOr<std::vector<ConfigEntry>> ParseConfigFile(std::string_view text,
                                                         std::string_view name) {
  // yaml-cpp tells errors by exceptions; they end here.
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (root.IsNull()) return std::vector<ConfigEntry>();
    if (!root.IsMap()) {
      return MakeError(Reason::kInvalidConfig,
                       base::StrCat(name, ": expected keys with values, found something else"));
    }
    Flattener flattener(name);
    TALOSMQ_RETURN_IF_ERROR(flattener.AddMap(root, "", 0));
    return flattener.Take();
  } catch (const YAML::Exception& error) {
    return MakeError(Reason::kInvalidConfig,
                     base::StrCat(name, " line ", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace talosmq::server
