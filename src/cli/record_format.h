#pragma once

#include "talosmq/ids.h"
#include "talosmq/record.h"

#include "absl/status/statusor.h"

#include <string>
#include <string_view>
#include <vector>

namespace talosmq::cli {

/// How `consume -f` prints a record. Immutable.
///
///   %t topic   %p partition   %o offset   %k key   %v value   %T timestamp (epoch ms)
///   %h headers in their order, "key=value,key=value"   %% a percent sign   \n \t \\ as in C
///
/// Bytes are printed as they are; an absent key or value prints nothing. No newline is added.
class RecordFormat {
 public:
  /// kInvalidArgument for an unknown directive, naming those there are.
  static absl::StatusOr<RecordFormat> Parse(std::string_view text);
  /// "%v\n": a value a line.
  static RecordFormat ValueLines();

  void Append(std::string_view topic, PartitionId partition, const ConsumedRecord& record,
              std::string& out) const;

 private:
  enum class Field { kLiteral, kTopic, kPartition, kOffset, kKey, kValue, kTimestamp, kHeaders };
  struct Piece {
    Field field = Field::kLiteral;
    std::string literal;  ///< Only of kLiteral.
  };

  void AddLiteral(std::string_view text);
  absl::Status AddDirective(std::string_view format, size_t position);

  std::vector<Piece> pieces_;
};

}  // namespace talosmq::cli
