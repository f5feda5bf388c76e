#include "base/status.h"
#include "cli/commands.h"
#include "cli/key_value.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

struct TopicListOptions {
  TopicFilter filter;
};

/// "KEY=VALUE", or "KEY" for any value.
absl::StatusOr<LabelFilter> ParseLabelFilter(std::string_view text) {
  if (!text.empty() && text.find('=') == std::string_view::npos) {
    return LabelFilter{.key = std::string(text), .value = std::nullopt};
  }
  TALOSMQ_ASSIGN_OR_RETURN(KeyValue pair, ParseKeyValue(text));
  return LabelFilter{.key = std::move(pair.key), .value = std::move(pair.value)};
}

/// "KEY=VALUE,..." for people: an object would give every label a column of its own.
std::string LabelsText(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text += base::StrCat(text.empty() ? "" : ",", key, "=", value);
  }
  return text;
}

std::string WhyNone(const TopicFilter& filter) {
  if (filter.labels.empty()) return "there are no topics; `talosmq topic create NAME` makes one";
  std::string asked;
  for (const LabelFilter& label : filter.labels) {
    asked += base::StrCat(asked.empty() ? "" : " and ", label.key);
    if (label.value.has_value()) asked += "=" + *label.value;
  }
  return base::StrCat("no topic has the label ", asked,
                      "; `talosmq topic list -o json` shows the labels there are");
}

absl::StatusOr<Document> List(const TopicFilter& filter, Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<TopicSummary> topics, admin->ListTopics(filter));
  const bool is_table = session.form() == OutputForm::kTable;
  const bool has_labels = std::any_of(topics.begin(), topics.end(),
                                      [](const auto& topic) { return !topic.labels.empty(); });
  Document rows = Document::array();
  for (const TopicSummary& topic : topics) {
    Document row{{"topic", topic.name},
                 {"topic_id", topic.id.ToString()},
                 {"state", topic.is_deleting ? "deleting" : "active"},
                 {"partitions", topic.partitions},
                 {"replicas", topic.replicas},
                 {"is_internal", topic.is_internal}};
    if (!is_table) {
      row["labels"] = Document(topic.labels);
    } else if (has_labels) {
      row["labels"] = topic.labels.empty() ? Document() : Document(LabelsText(topic.labels));
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty()) session.Note(WhyNone(filter));
  return rows;
}

ExitStatus Run(const TopicListOptions& options, Session& session) {
  return session.Finish(List(options.filter, session));
}

}  // namespace

void AddTopicList(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<TopicListOptions>(parent, "list", "List the topics", Run, selected);
  auto& labels = options->filter.labels;
  AddRepeated(
      *command, "--label", ParseLabelFilter,
      [&labels](LabelFilter label) { labels.push_back(std::move(label)); },
      "Topics with this label only, KEY=VALUE, or KEY for any value; several must all hold");
  command->footer(
      "Examples:\n"
      "  talosmq topic list\n"
      "  talosmq topic list --label team=shop --label tier\n"
      "  talosmq topic list -o json");
}

}  // namespace talosmq::cli
