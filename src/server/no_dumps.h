#pragma once

#include "broker/dump_control.h"
#include "talosmq/error.h"

#include <string>
#include <vector>

namespace talosmq::server {

/// DumpControl of a server without the role sink: refuses everything with kUnimplemented.
/// Immutable.
class NoDumps final : public broker::DumpControl {
 public:
  void Create(broker::DumpDefinition /*definition*/, absl::Duration /*deadline*/,
              base::Callback<absl::Status> done) override {
    done(Refusal());
  }
  void List(base::Callback<absl::StatusOr<std::vector<broker::DumpDescription>>> done) override {
    done(Refusal());
  }
  void Describe(std::string /*name*/,
                base::Callback<absl::StatusOr<broker::DumpDescription>> done) override {
    done(Refusal());
  }
  void Pause(std::string /*name*/, absl::Duration /*deadline*/,
             base::Callback<absl::Status> done) override {
    done(Refusal());
  }
  void Resume(std::string /*name*/, absl::Duration /*deadline*/,
              base::Callback<absl::Status> done) override {
    done(Refusal());
  }
  void Delete(std::string /*name*/, absl::Duration /*deadline*/,
              base::Callback<absl::Status> done) override {
    done(Refusal());
  }

 private:
  static absl::Status Refusal() {
    return MakeError(Reason::kUnimplemented,
                     "this server runs no dump jobs: its setting roles does not have sink");
  }
};

}  // namespace talosmq::server
